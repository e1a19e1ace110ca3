"""A table for a paper or a notebook: LaTeX with booktabs, HTML, and a data frame."""

from __future__ import annotations

import html as html_text
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ghbench.results.display import cell, one_line, short_number
from ghbench.tables import render
from ghbench.tables.table import Row, Table

if TYPE_CHECKING:
    import pandas as pd

    from ghbench.results.schema import MetricValue

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "±": r"$\pm$", "…": r"\ldots{}",
}  # fmt: skip


def latex(table: Table) -> str:
    r"""A `tabular` with booktabs; bold is the main metric of all rows that none is significantly better than.

    Needs `\usepackage{booktabs}` and, for names beyond ASCII, a Unicode engine or `\usepackage[T1]{fontenc}`.
    """
    rows, names = table.rows, render.columns(table, table.rows)
    counted, extra = table.beside("numbers", "supervision")
    head = ["rank", table.called, *counted, *names, *extra]
    arrows = {True: r" $\uparrow$", False: r" $\downarrow$", None: ""}
    better = {metric.name: arrows[metric.higher_is_better] for metric in table.metrics}
    aligned = "".join("r" if name in {"rank", "numbers"} else "l" for name in head)
    lines = [
        f"% {one_line(table.task)}; needs \\usepackage{{booktabs}}",
        f"\\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        " & ".join(_tex(name) + better.get(name, "") for name in head) + r" \\",
        r"\midrule",
    ]
    for row in rows:
        values = [_tex_cell(row.metric(name), best=name == table.main.name and row.rank == 1) for name in names]
        before, after = ([_tex(render.about(row, table, name)) for name in part] for part in (counted, extra))
        lines.append(" & ".join([render.rank(row), _tex(row.system), *before, *values, *after]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    bold = [f"Bold: no system is significantly better by {table.main.name}."] if table.unranked is None and rows else []
    return "\n".join([*lines, *(f"% {one_line(line)}" for line in [*render.explanation(table), *bold])]) + "\n"


def html(table: Table) -> str:
    """A `<table>`, or two where there are levels, with the sentences that explain it; nothing in it is executed."""
    parts = [_html_rows(table, table.rows, ranked=True)]
    if table.levels:
        parts += [f"<p>{_html(render.LEVELS_TITLE)}</p>", _html_rows(table, table.levels, ranked=False)]
    return "\n".join([*parts, *(f"<p>{_html(line)}</p>" for line in render.explanation(table))]) + "\n"


def frame(table: Table) -> pd.DataFrame:
    """One row a system, as in CSV but nothing escaped; levels follow the ranked rows, without a rank."""
    import pandas as pd

    head, rows = render.values(table)
    kept = pd.DataFrame(rows, columns=head)
    return kept.astype({"rank": "Int64", "numbers": "Int64"} if "numbers" in head else {"rank": "Int64"})


def _html_rows(table: Table, rows: Sequence[Row], *, ranked: bool) -> str:
    names = render.columns(table, rows)
    counted, others = table.beside("numbers", "supervision", "remarks")
    extra = [*counted, *others]
    head = [*(["rank"] if ranked else []), table.called, *names, *extra]
    lines = ["<table>", f"<thead><tr>{''.join(f'<th>{_html(name)}</th>' for name in head)}</tr></thead>", "<tbody>"]
    for row in rows:
        cells = [*([render.rank(row)] if ranked else []), row.system]
        cells += [cell(row.metric(name)) for name in names] + [render.about(row, table, name) for name in extra]
        lines.append(f"<tr>{''.join(f'<td>{_html(text)}</td>' for text in cells)}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


def _html(text: str) -> str:
    return html_text.escape(one_line(text))


def _tex(text: str) -> str:
    return re.sub(r"[\\{}$&#%_^~<>|\"±…]", lambda found: _LATEX[found[0]], one_line(text))


def _tex_cell(metric: MetricValue | None, *, best: bool) -> str:
    if metric is None or metric.value is None:
        return "--"
    text = _tex(short_number(metric.value))
    text = f"\\textbf{{{text}}}" if best else text
    if metric.standard_error is not None:
        return f"{text} {{\\scriptsize $\\pm$ {_tex(short_number(metric.standard_error))}}}"
    if metric.interval is None:
        return text
    low, high = (_tex(short_number(end)) for end in metric.interval)
    return f"{text} {{\\scriptsize [{low}, {high}]}}"
