"""`ghbench compare`: one system against another, paired over the task's units."""

from __future__ import annotations

from typing import Annotated

import typer

from ghbench.cli.terminal import print_record, say


def compare(
    first: Annotated[str, typer.Argument(help="Spec string of an extractor.")],
    second: Annotated[str, typer.Argument(help="Spec string of another one.")],
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.")],
    metric: Annotated[str | None, typer.Option(help="Default: the metric that ranks.")] = None,
    align: Annotated[str | None, typer.Option(help="Alignment of both results.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the difference of two finished results, first minus second, with its 95 % interval."""
    from ghbench.tables import compare as compare_results

    found = compare_results(first, second, task, metric, align)
    if as_json:
        print_record(found)  # an interval that no draw defines is null
        return
    difference = found.difference
    say(f"{found.metric} on {found.task}: {found.first} {found.values[0]:.4f}, {found.second} {found.values[1]:.4f}")
    if difference is None:
        say(f"difference {found.values[0] - found.values[1]:+.4f}; the task states no uncertainty of {found.metric}")
        return
    say(
        f"difference {difference.value:+.4f}, 95 % interval [{difference.low:+.4f}, {difference.high:+.4f}] "
        f"over {found.unit}, {p_value_text(difference.p_value)}"
    )


def p_value_text(value: float) -> str:
    """A p-value as text; the tail below 1e-4 is the approximation's more than the data's."""
    return "p < 0.0001" if value < 1e-4 else f"p = {value:.2g}"
