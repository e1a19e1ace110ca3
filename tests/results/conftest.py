"""A result that needs neither images nor extractor."""

import pandas as pd
import pytest

from ghbench.results.provenance import provenance
from ghbench.results.schema import ExtractorRecord, MetricValue, Result, TaskRecord


@pytest.fixture
def result():
    return Result(
        digest="0123456789abcdef",
        status="complete",
        extractor=ExtractorRecord(
            name="hand",
            spec_string="hand:x=1",
            version="1",
            package="",
            package_version=None,
            levels=["a"],
            dims=[3],
            policy="concat",
            weights_digest="0",
            preprocessing={"size": (8, 8), "align": "none"},
            similarity="cosine",
            backend="numpy-float32",
            centred=False,
            training={"supervision": "none"},
            licence="none",
        ),
        task=TaskRecord(name="orl", version=1, main_metric="accuracy", references=[], untrained="none", protocol={}),
        align={"name": "none"},
        datasets={},
        domain="real",
        overlap="none",
        metrics=[MetricValue(metric="accuracy", value=0.5, unit="fraction", higher_is_better=True, ci=(0.4, 0.6))],
        provenance=provenance("ghbench run", 0),
    )


@pytest.fixture
def records():
    return pd.DataFrame({"same": [True, False], "similarity": [0.5, 0.25]})
