"""`make chaos`: break everything that can break, and count what is left.

Real processes on a PostgreSQL of their own: Odoo with two workers, crons and the queue's
runner, and the sandbox that stands in for Meta. Not a part of the tests: it takes
minutes. They run a short form of the storm.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..console import Problem, say, step
from ..layout import ADDONS, DEV, exclusive
from ..odoo import databases, environment, postgres
from ..odoo.environment import Environment
from ..odoo.postgres import Cluster
from ..sandbox import GraphSandbox, short_events_received
from ..testing.tally import Tally
from . import answers, hosts, jobs, outages, stops, storm
from .shop import Shop

_TIME_IS_SHIFTED = (
    "    Waits of hours are not waited for: next_attempt_at, wait_until and\n"
    "    next_probe_at are shifted into the past by SQL again and again, jobs that\n"
    "    nobody starts are made a minute older, and the sweep is called every few\n"
    "    seconds instead of every two minutes. Retries within a job take their time."
)

Scenario = Callable[[Shop, int, Tally], None]


@dataclass(frozen=True)
class Chapter:
    """A scenario, and how Odoo is run for it."""

    number: int
    title: str
    scenario: Scenario
    has_runner: bool = True


class Apart(Environment):
    """An environment whose files are its own, as its databases are."""

    @property
    def data(self) -> Path:
        return DEV / "chaos" / self.series / "data"


def chaos(series: str, seed: int | None = None, only: Iterable[int] = ()) -> Tally:
    """Run all scenarios, or only those of some numbers."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    say(f"==> Chaos on Odoo {series}, SEED={seed}")
    say(_TIME_IS_SHIFTED)
    start = time.monotonic()
    tally = Tally()
    busy = "Chaos reigns in this checkout already: wait."
    with exclusive("chaos", otherwise=busy), postgres.expendable() as cluster:
        odoo = _apart(environment.get(series), cluster)
        source = databases.shop(odoo, cluster)
        with databases.clone(odoo, cluster, source, "chaos") as database:
            # Else a crash could take what has just been committed.
            cluster.sql(f'ALTER DATABASE "{database}" SET synchronous_commit = on')
            _run(odoo, cluster, database, seed, set(only), tally)
    say(f"Odoo {series}, SEED={seed}: {tally} in {time.monotonic() - start:.0f} s")
    return tally


def _apart(odoo: Environment, cluster: Cluster) -> Environment:
    config = DEV / "chaos" / odoo.series / "odoo.conf"
    apart = Apart(odoo.source, odoo.identity, config)
    apart.data.mkdir(parents=True, exist_ok=True)
    config.write_text(apart.config_for(cluster.socket, ADDONS))
    return apart


def _run(
    odoo: Environment,
    cluster: Cluster,
    database: str,
    seed: int,
    only: set[int],
    tally: Tally,
) -> None:
    with GraphSandbox(seed=seed) as graph:
        shop = Shop(
            odoo.command,
            database,
            sql=partial(cluster.sql, database=database),
            sql_on_postgres=cluster.sql,
            graph=graph,
            log=odoo.config.with_name("server.log"),
        )
        chapters = [
            chapter
            for chapter in _chapters(cluster)
            if not only or chapter.number in only
        ]
        say("==> Starting Odoo with two workers, one for crons, and the queue's runner")
        with shop.serving():
            shop.configure()
            _read(shop, [c for c in chapters if c.has_runner], seed, tally)
        if not all(chapter.has_runner for chapter in chapters):
            say("==> Starting Odoo without the queue's runner")
            with shop.serving(f"--load={_without_queue(odoo)}"):
                _read(shop, [c for c in chapters if not c.has_runner], seed, tally)


def _read(shop: Shop, chapters: list[Chapter], seed: int, tally: Tally) -> None:
    for chapter in chapters:
        with step(f"{chapter.number}. {chapter.title}"):
            shop.reset()
            try:
                chapter.scenario(shop, seed, tally)
            except Problem as problem:
                tally.check(False, str(problem))


def _chapters(cluster: Cluster) -> list[Chapter]:
    modes = itertools.cycle(("fast", "immediate"))
    worst = partial(
        storm.storm, restart_postgres=lambda: _restart(cluster, next(modes))
    )
    return [
        Chapter(1, "10,000 events while everything breaks", worst),
        Chapter(2, "1,000 events, 7 of them poisoned", outages.poison),
        Chapter(2, "One event refused without a reason", outages.ambiguous),
        Chapter(3, "A token is revoked and replaced", outages.revoked_token),
        Chapter(4, "Meta is away for a day, 20,000 events", outages.outage),
        Chapter(5, "Told to wait for 19 minutes", outages.throttle),
        Chapter(6, "Jobs deleted by hand", jobs.lost_jobs),
        Chapter(6, "A transaction open for longer than its job", jobs.long_transaction),
        Chapter(7, "One bad answer of each kind", answers.blips),
        Chapter(8, "A token without permission, and a click", answers.no_permission),
        Chapter(9, "One event meets a code nobody knows", answers.unknown_code),
        Chapter(10, "One event breaks Meta", answers.breaks_meta),
        Chapter(
            10,
            "One event is never counted",
            partial(answers.breaks_meta, fault=short_events_received()),
        ),
        Chapter(11, "A search, a stop, and then a blip", answers.innocents),
        Chapter(12, "Stops of each kind", stops.stops),
        Chapter(13, "Calls have to be signed", stops.proof),
        Chapter(14, "A clock that is ahead", stops.clock_ahead),
        Chapter(15, "A store's event that may have arrived", stops.store_event),
        Chapter(16, "No types of activities", stops.no_activity_type),
        # The last one with a runner: it ends the server.
        Chapter(18, "Two servers, one of them killed", hosts.two_hosts),
        Chapter(17, "A sweep where Meta hangs", stops.long_sweep, False),
        Chapter(6, "No jobrunner", jobs.no_runner, has_runner=False),
        Chapter(6, "Jobs of the dead, no jobrunner", jobs.orphaned_jobs, False),
    ]


def _restart(cluster: Cluster, mode: str) -> str:
    """Restart PostgreSQL, in order or as if it had crashed; say which."""
    cluster.stop(mode)
    cluster.start()
    return "after a crash" if mode == "immediate" else "in order"


def _without_queue(odoo: Environment) -> str:
    """Return the modules Odoo loads at its start, without the one that runs jobs."""
    lines = odoo.config.read_text().splitlines()
    (modules,) = [line for line in lines if line.startswith("server_wide_modules")]
    names = modules.partition("=")[2].strip().split(",")
    return ",".join(name for name in names if name != "queue_job")
