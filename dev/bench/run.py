"""`make bench`: what recording and delivering cost, against what they would cost else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection
from datetime import date
from functools import partial
from typing import Any

from ..console import Problem, need_disk, say, step
from ..layout import ADDON, DEV
from ..odoo import databases, environment, postgres
from ..odoo.environment import Environment
from ..odoo.log import Log
from ..odoo.postgres import Cluster
from . import report as bench_report
from .rig import Rig
from .rows import FULL, MEASUREMENTS, SIZES, Figure, Size


def bench(series: str, size_name: str, rows: Collection[int]) -> int:
    """Measure, print the table, and keep what a full run has found."""
    size = SIZES[size_name]
    # A row of a large log takes 2 KB, its indexes included, and what writes it as much.
    need_disk(DEV, 1 + size.large_log * 4 // 10**6, "The benchmark")
    odoo = environment.get(series)
    with postgres.running() as cluster:
        odoo.write_config(cluster.socket)
        template = databases.template(odoo, cluster)
        with databases.clone(odoo, cluster, template, "bench") as database:
            _install(odoo, database)
            rig = _rig(odoo, cluster, database)
            with rig.running():
                run = measure(rig, size, rows)
    folder = DEV / "bench"
    folder.mkdir(exist_ok=True)
    path = folder / f"{series}-{size.name}.json"
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False))
    say("\n" + "\n".join(bench_report.table(run["rows"])))
    say(f"\n{path}")
    if size is FULL:
        bench_report.keep(series, run)
        say(f"{bench_report.PAGE}")
    return 0


def _install(odoo: Environment, database: str) -> None:
    log = Log(odoo.folder / "log" / "bench-install.log")
    with step(f"Installing {ADDON}"):
        code = databases.run_odoo(
            odoo,
            log,
            *("-c", odoo.config, "-d", database, "-i", ADDON),
            *("--stop-after-init", "--no-http"),
        )
    if code:
        log.show_end()
        raise Problem(f"Odoo could not install the addon: see {log.path}.")


def _rig(odoo: Environment, cluster: Cluster, database: str) -> Rig:
    return Rig(
        command=(odoo.launcher, "-c", odoo.config),
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


def measure(rig: Rig, size: Size, rows: Collection[int] = ()) -> dict[str, Any]:
    """Run the measurements of these rows, or all, and return what they have given."""
    load = os.getloadavg()[0]
    with rig.worker() as worker:
        versions = worker.call("versions")
    limit = rig.sink.limit(requests=5 if size.pending < 1000 else 200)
    say(f"    the receiver takes {limit:,.0f} events a second")
    figures: list[Figure] = []
    for numbers, measurement in MEASUREMENTS.items():
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
