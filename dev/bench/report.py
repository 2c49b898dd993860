"""What the benchmark has found: as a table, as JSON, and as a page of the documentation."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..layout import ROOT
from .figures import HUGE, Figure

RESULTS = Path(__file__).with_name("benchmarks.json")
PAGE = ROOT / "docs" / "benchmarks.md"
SCALING = ROOT / "docs" / "scaling.md"

_BEGIN = "<!-- written by make bench: begin -->"
_END = "<!-- written by make bench: end -->"
# What is kept of a figure as it is.
_KEPT = (
    *("row", "what", "against", "unit", "measured", "compared", "value", "goal"),
    *("at_most", "is_absolute", "is_met"),
)


def as_data(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Return figures as JSON's own types, by their row."""
    return [
        {
            **{name: getattr(figure, name) for name in _KEPT},
            "spread": list(figure.spread),
            "rounds": len(figure.pairs),
            "notes": figure.notes,
        }
        for figure in sorted(figures, key=lambda figure: _order(figure.row))
    ]


def _order(row: str) -> tuple[int, str]:
    number = re.match(r"\d+", row)
    return int(number[0]) if number else 0, row


def machine() -> dict[str, Any]:
    """Return what this is measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return {
        "cpu": cpu[1] if cpu else "unknown",
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory[1]) / 1024 / 1024) if memory else None,
        "kernel": os.uname().release,
    }


def table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table in Markdown, which is also read well as text."""
    lines = [
        "| | Measured | Against | Measured | Against | Ratio | Spread | Goal | |",
        "|---|---|---|---:|---:|---:|---|---|---|",
    ]
    for row in rows:
        low, high = row["spread"]
        compared = _number(row["compared"])
        unit = row["unit"]
        value = _number(row["value"])
        lines.append(
            f"| {row['row']} | {row['what']} | {row['against'] or '–'}"
            f" | {_number(row['measured'])} {unit}"
            f" | {'–' if row['is_absolute'] else f'{compared} {unit}'}"
            f" | {f'{value} {unit}' if row['is_absolute'] else f'{value}×'}"
            f" | {'–' if row['rounds'] < 2 else f'{_number(low)}–{_number(high)}'}"
            f" | {'≤' if row['at_most'] else '≥'} {row['goal']:g}"
            f" | {'met' if row['is_met'] else '**missed**'} |"
        )
    return lines


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def keep(series: str, run: dict[str, Any]) -> None:
    """Add a run to the results that are kept, and write the pages anew.

    A run of some rows replaces those alone; the others keep their own date and size. What
    was measured with the largest log stays until it is measured so again.
    """
    runs = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    before = runs.get(series, {"rows": []})
    own = {name: before[name] for name in ("date", "size") if name in before}
    rows = {row["row"]: own | row for row in before["rows"]}
    for row in run["rows"]:
        kept = rows.get(row["row"], row)
        is_larger = kept.get("size") == HUGE.name != run["size"]
        if not is_larger or kept["what"] == row["what"]:
            rows[row["row"]] = row
    run["rows"] = sorted(rows.values(), key=lambda row: _order(row["row"]))
    runs[series] = run
    RESULTS.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(_page(runs))
    if SCALING.exists():
        SCALING.write_text(_with_computed(SCALING.read_text(), _computed(runs)))


def _page(runs: Mapping[str, Any]) -> str:
    text = _template("benchmarks.md")
    for series in sorted(runs, reverse=True):
        run = runs[series]
        versions = ", ".join(f"{name} {n}" for name, n in run["versions"].items())
        remarks = [
            f"- Row {row['row']}: {row['notes']['remark']}."
            for row in run["rows"]
            if "remark" in row["notes"]
        ]
        text += _template("benchmarks_series.md").format(
            **run,
            series=series,
            named_versions=versions,
            table="\n".join(table(run["rows"])),
            remarks="\n".join([*_older(run), *remarks]),
            plans="\n".join(_plans(run["rows"])),
        )
    return text.rstrip() + "\n"


def _template(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def _older(run: Mapping[str, Any]) -> list[str]:
    """Tell which rows were not measured when the others were."""
    rows: dict[tuple[str, str], list[str]] = {}
    this = run["date"], run["size"]
    for row in run["rows"]:
        then = row.get("date", run["date"]), row.get("size", run["size"])
        if then != this:
            rows.setdefault(then, []).append(row["row"])
    return [
        f"- Measured on {day}, size *{size}*, by the same means: rows"
        f" {', '.join(rows[day, size])}."
        for day, size in sorted(rows)
    ]


def _plans(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        for milliseconds, text in row["notes"].get("plans", ())[:1]:
            lines += [
                f"Row {row['row']}, the slowest statement, {milliseconds:.2f} ms:",
                "",
                "```",
                *(line[:160] for line in text.splitlines()),
                "```",
                "",
            ]
    return lines


# ---------------------------------------------------------------------------- scaling


def _with_computed(text: str, computed: str) -> str:
    """Return a page with the part between the marks replaced."""
    before, _begin, rest = text.partition(_BEGIN)
    _old, _end, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{computed}{_END}{after}"


def _computed(runs: Mapping[str, Any]) -> str:
    """Compute from a run how far one machine goes."""
    series = max(runs)
    run = runs[series]
    rows = {row["row"]: row for row in run["rows"]}
    if not {"1", "2", "5", "7", "12"} <= rows.keys():
        return "\n*Not measured yet: run `make bench`.*\n\n"
    single, drained = rows["1"]["measured"], rows["5"]["measured"]
    per_event = rows["12"]["measured"]
    return _template("scaling.md").format(
        **run["machine"],
        series=series,
        single=single,
        drained=drained,
        two=rows["7"]["measured"],
        per_event=per_event,
        millions_a_day=drained * 86_400 / 1e6,
        million_a_second=1e6 / 86_400,
        minutes_a_million=1e6 / drained / 60,
        hours_to_record=1e6 * single / 1000 / 3600,
        gigabytes=90 * 1e6 * per_event / 1e9,
        gigabytes_a_year=365 * 1e6 * per_event / 1e9,
        tenth=drained / 10,
        terabytes=90 * 86_400 * drained / 10 * per_event / 1e12,
        one_by_one=1000 / single,
        in_batches=1000 / rows["2"]["measured"],
        # 800 events a request, and 0.2 s until its answer.
        with_latency=800 / (800 / drained + 0.2),
    )
