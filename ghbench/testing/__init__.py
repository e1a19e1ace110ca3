"""The conformance kit that plugin authors import into their own tests.

from ghbench.testing import check_extractor

def test_my_extractor_keeps_the_contract():
    check_extractor(MyExtractor())
"""

from ghbench.testing.extractors import check_extractor
from ghbench.testing.navigators import check_navigator
from ghbench.testing.pictures import pictures
from ghbench.testing.tasks import check_task
from ghbench.testing.violation import ConformanceError

__all__ = ["ConformanceError", "check_extractor", "check_navigator", "check_task", "pictures"]
