"""A result as text and as a data frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ghbench.results.schema import MetricValue, Result

_SHOWN = 12


def cell(metric: MetricValue | None, digits: int = 3) -> str:
    """A value with its uncertainty: `.878 [.845, .907]` for an interval, `.012 ± .001` for a standard error."""
    if metric is None or metric.value is None:
        return "-"
    text = short_number(metric.value, digits)
    if metric.standard_error is not None:
        return f"{text} ± {short_number(metric.standard_error, digits)}"
    if metric.interval is None:
        return text
    return f"{text} [{short_number(metric.interval[0], digits)}, {short_number(metric.interval[1], digits)}]"


def short_number(value: float, digits: int = 3) -> str:
    """`.878`; what is not 1 is never shown as 1, and what is huge takes no hundred digits."""
    if abs(value) >= 1e9:
        return f"{value:.{digits}g}"
    text = f"{value:.{digits}f}"
    if value < 1 - 1e-12 and float(text) == 1:  # what lacks less is the rounding of a sum
        return f">.{'9' * digits}"
    return text[1:] if text.startswith("0.") else text


def one_line(text: str) -> str:
    """Text of a plugin without line breaks and control characters, which could forge lines or steer a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def inert(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def summary(result: Result) -> str:
    """A few lines: what was evaluated on what, and the numbers."""
    levels = result.features.levels if result.features else []
    named = f", levels {' + '.join(levels[:8])}{' ...' if len(levels) > 8 else ''}" if len(levels) > 1 else ""
    policy = f" ({result.features.policy})" if named and result.features else ""
    head = f"{result.label or result.subject.spec_string} on {result.task.name}: {result.status}{named}{policy}"
    lines = [
        f"  {value.metric}{f' @ {value.level}' if value.level else ''}: {cell(value)}"
        for value in result.metrics[:_SHOWN]
    ]
    if len(result.metrics) > _SHOWN:
        lines.append(f"  and {len(result.metrics) - _SHOWN} more in .metrics or .to_frame()")
    lines += [f"  warning: {text}" for text in result.warnings[:3]]
    return "\n".join([one_line(head)[:300], *(f"  {one_line(line)}"[:200] for line in lines)])


def frame(result: Result) -> pd.DataFrame:
    """One row a metric and level."""
    import pandas as pd

    about = {metric.name: metric for metric in result.task.metrics}
    rows = []
    for value in result.metrics:
        low, high = value.interval or (None, None)
        declared = about.get(value.metric)
        rows.append(
            {
                "subject": result.label or result.subject.spec_string,
                "task": result.task.name,
                "metric": value.metric,
                "level": value.level,
                "value": value.value,
                "low": low,
                "high": high,
                "standard_error": value.standard_error,
                "unit": None if declared is None else declared.unit,
                "higher_is_better": None if declared is None else declared.higher_is_better,
                "status": result.status,
                "digest": result.digest,
            }
        )
    kept = pd.DataFrame(rows, columns=list(COLUMNS))
    return kept.astype(dict.fromkeys(("value", "low", "high", "standard_error"), "float64"))


COLUMNS = (
    "subject", "task", "metric", "level", "value", "low", "high", "standard_error", "unit", "higher_is_better",
    "status", "digest",
)  # fmt: skip
