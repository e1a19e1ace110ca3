"""What the page on tasks quotes is the code of the contract's own test tasks."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_quoted_code_is_the_code_that_is_tested():
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    code = (ROOT / "tests" / "contract" / "stranger_tasks.py").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    quoted = [block for block in blocks if "check_task" not in block]
    assert len(quoted) >= 5
    for block in quoted:
        assert block in code
