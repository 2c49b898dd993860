"""`make bench`: what recording and delivering cost, against what they would cost else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from datetime import date
from functools import partial
from typing import Any

from ..console import Problem, need_disk, say, step
from ..layout import DEV
from ..odoo import databases, environment
from ..odoo.environment import Environment
from ..odoo.postgres import Cluster
from . import report as bench_report
from .figures import FULL, HUGE, SIZES, Figure, Size
from .rig import Rig
from .rows import MEASUREMENTS, MEASUREMENTS_OF_APPS, Measurement


def bench(series: str, size: str, rows: Collection[int]) -> int:
    """Measure, print the table, and keep what a full run has found."""
    chosen = SIZES[size]
    # An old event takes 1.2 KB, its indexes included, and one that is just delivered 3 KB;
    # what writes them takes as much.
    gigabytes = 1 + (3 * chosen.large_log + 6 * chosen.delivered) // 10**6
    need_disk(DEV, gigabytes, "The benchmark")
    odoo = environment.get(series)
    run: dict[str, Any] = {"rows": []}
    for measurements, with_apps in (
        (MEASUREMENTS, False),
        (MEASUREMENTS_OF_APPS, True),
    ):
        if rows and not any(set(numbers) & set(rows) for numbers in measurements):
            continue
        with databases.fresh(odoo, "bench", with_apps) as (cluster, database):
            databases.install(odoo, database)
            rig = _rig(odoo, cluster, database)
            with rig.running():
                found = measure(rig, chosen, rows, measurements)
        run = {**found, "rows": [*run["rows"], *found["rows"]]}
    folder = DEV / "bench"
    folder.mkdir(exist_ok=True)
    path = folder / f"{series}-{chosen.name}.json"
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False))
    say("\n" + "\n".join(bench_report.table(run["rows"])))
    say(f"\n{path}")
    if chosen in (FULL, HUGE):
        bench_report.keep(series, run)
        say(f"{bench_report.PAGE}")
    return 0


def _rig(odoo: Environment, cluster: Cluster, database: str) -> Rig:
    return Rig(
        command=odoo.command,
        python=odoo.venv / "bin" / "python",
        database=database,
        dsn={
            "host": str(cluster.socket),
            "port": 5432,
            "user": "odoo",
            "dbname": database,
        },
        sql=partial(cluster.sql, database=database),
        folder=odoo.folder / "log" / "bench",
    )


def measure(
    rig: Rig,
    size: Size,
    rows: Collection[int] = (),
    measurements: Mapping[tuple[int, ...], Measurement] = MEASUREMENTS,
) -> dict[str, Any]:
    """Run the measurements of these rows, or all, and return what they have given."""
    load = os.getloadavg()[0]
    with rig.worker() as worker:
        versions = worker.call("versions")
    limit = rig.sink.limit(requests=5 if size.pending < 1000 else 200)
    say(f"    the receiver takes {limit:,.0f} events a second")
    figures: list[Figure] = []
    for numbers, measurement in measurements.items():
        if rows and not set(numbers) & set(rows):
            continue
        title = " and ".join(map(str, numbers))
        with step(f"Measuring row{'s' if len(numbers) > 1 else ''} {title}"):
            found = measurement(rig, size)
        for figure in found:
            if not all(map(math.isfinite, (figure.value, *figure.spread))):
                raise Problem(f"Row {figure.row} has given no number.")
        say("\n".join(bench_report.table(bench_report.as_data(found))[2:]))
        figures += found
    return {
        "date": date.today().isoformat(),
        "size": size.name,
        "load": f"{load:.1f} before, {os.getloadavg()[0]:.1f} after",
        "machine": bench_report.machine(),
        "versions": versions,
        "receiver_events_per_second": limit,
        "rows": bench_report.as_data(figures),
    }
