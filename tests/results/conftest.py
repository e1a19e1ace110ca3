"""A result that needs neither images nor extractor."""

import pandas as pd
import pytest

from ghbench.results.provenance import provenance
from ghbench.results.schema import FeatureRecord, MetricRecord, MetricValue, Result, SubjectRecord, TaskRecord


@pytest.fixture
def result():
    return Result(
        digest="0123456789abcdef",
        status="complete",
        subject=SubjectRecord(
            name="hand",
            spec_string="hand:x=1",
            version="1",
            package="",
            package_version=None,
            weights_digest="0",
            training={"supervision": "none"},
            licence="none",
        ),
        features=FeatureRecord(
            levels=["a"],
            dims=[3],
            policy="concat",
            preprocessing={"size": (8, 8), "align": "none"},
            align={"name": "none"},
            similarity="cosine",
            backend="numpy-float32",
            centred=False,
            dtype="float32",
        ),
        task=TaskRecord(
            name="orl",
            version=1,
            metrics=[
                MetricRecord(
                    name="accuracy", unit="fraction", higher_is_better=True, uncertainty="units", bounds=(0, 1)
                )
            ],
            protocol={},
        ),
        datasets={},
        overlap="none",
        metrics=[MetricValue(metric="accuracy", value=0.5, interval=(0.4, 0.6))],
        provenance=provenance("ghbench run", 0),
    )


@pytest.fixture
def records():
    return pd.DataFrame({"same": [True, False], "similarity": [0.5, 0.25]})
