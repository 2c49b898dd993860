"""A shop to be broken: Odoo, its database and the Graph it sends to."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..console import Problem, until
from ..layout import ADDON
from ..odoo.client import OdooClient
from ..odoo.server import Server, launched
from ..sandbox import GraphSandbox, new_token

# Seconds between two looks at something that is to happen.
POLL = 0.1
# Seconds after which it is not going to happen, also on a busy machine.
PATIENCE = 120
# Of one transaction that is tried again and again while everything breaks.
RECORDING_PATIENCE = 180
# Seconds a job's process may take to lock the job it has just marked as started.
LOCKED_AFTER = 3

CHANNELS = "root:2,root.meta_capi:1"

# What an administrator could write as well: a server action that records events.
_RECORD = """
website = env['website'].browse(env.context['chaos_website'] or [])
env['meta.conversions.api'].send_events([
    dict(event, website=website or None) for event in env.context['chaos_events']
])
if env.context['chaos_pause']:
    env.cr.execute('SELECT pg_sleep(%s)', [env.context['chaos_pause']])
"""


@dataclass(frozen=True)
class Pixel:
    """A pixel, and the website that has it instead of the shared one."""

    id: str
    website_id: int | None = None


@dataclass
class Shop:
    """Odoo on a database, with the means to record, to look, and to break.

    :param command: starts Odoo with its settings
    :param sql: runs a statement and returns its rows, of one column, as text
    :param sql_on_postgres: does so on the database that crons listen on
    """

    command: Sequence[str | Path]
    database: str
    sql: Callable[[str], list[str]]
    sql_on_postgres: Callable[[str], list[str]]
    graph: GraphSandbox
    log: Path
    pixels: list[Pixel] = field(default_factory=list)
    managers: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    """What Odoo is started with, besides our own."""
    _server: Server | None = None
    _action: int = 0

    # Life ----------------------------------------------------------------------------

    @contextmanager
    def serving(self, *options: str) -> Iterator[Shop]:
        """Have Odoo run: two workers, one for crons, and the queue's runner."""
        channels = {"ODOO_QUEUE_JOB_CHANNELS": CHANNELS}
        env = {**os.environ, **channels, **self.environment}
        command = (*self.command, *options)
        with launched(command, self.database, self.log, env) as server:
            self._server = server
            try:
                yield self
            finally:
                self._server = None
                # A worker that waits for its next try would make us wait too.
                with suppress(ProcessLookupError):
                    os.killpg(server.process.pid, signal.SIGKILL)

    @property
    def server(self) -> Server:
        assert self._server, "Odoo is not running"
        return self._server

    def client(self) -> OdooClient:
        """Return a session of the administrator."""
        client = OdooClient(self.server.url)
        client.log_in(self.database, "admin", "admin")
        return client

    def configure(self, pixels: int = 3) -> None:
        """Connect the shop to the sandbox: a shared pixel, and websites with others."""
        client = self.client()
        first = Pixel(self.graph.pixel_id)
        self.pixels = [first]
        found = client.call("website", "search", [], limit=pixels - 1)
        while len(found) < pixels - 1:
            found.append(client.create("website", name=f"Shop {len(found) + 1}"))
        for website in found:
            pixel = Pixel(str(int(first.id) + website), website)
            self.graph.pixels[pixel.id] = {new_token()}
            self.pixels.append(pixel)
        for key, value in {
            "meta_capi.enabled": "True",
            "meta_capi.pixel_id": first.id,
            "meta_capi.graph_url": self.graph.url,
            "meta_capi.batch_delay": "1",
        }.items():
            client.call("ir.config_parameter", "set_param", key, value)
        for pixel in self.pixels:
            self.give_token(pixel)
        self._action = client.create(
            "ir.actions.server",
            name="Record events",
            model_id=client.reference("base.model_res_partner"),
            state="code",
            code=_RECORD,
        )
        self.managers = self._appoint_managers(client)

    def give_token(self, pixel: Pixel) -> None:
        """Write the token that the sandbox knows into Odoo's settings."""
        (token,) = self.graph.pixels[pixel.id]
        client = self.client()
        if pixel.website_id is None:
            key = "meta_capi.access_token"
            client.call("ir.config_parameter", "set_param", key, token)
        else:
            values = {"meta_capi_pixel_id": pixel.id, "meta_capi_access_token": token}
            client.call("website", "write", [pixel.website_id], values)

    def set_parameter(self, key: str, value: str) -> None:
        self.client().call(
            "ir.config_parameter", "set_param", f"meta_capi.{key}", value
        )

    @staticmethod
    def _appoint_managers(client: OdooClient) -> int:
        """Make a second manager, so that "once for each" can be told from "once"."""
        group = client.reference(f"{ADDON}.group_meta_capi_manager")
        fields = client.call("res.users", "fields_get", [], ["type"])
        groups = "group_ids" if "group_ids" in fields else "groups_id"
        member = (4, group)
        user = {"name": "Marketing", "login": "marketing", groups: [member]}
        client.create("res.users", **user)
        implied = "all_group_ids" if "all_group_ids" in fields else groups
        return int(client.call("res.users", "search_count", [(implied, "in", [group])]))

    def reset(self) -> None:
        """Forget everything that was recorded, sent or scripted."""
        self.graph.heal()
        self.graph.cure()
        self.graph.clock_behind, self.graph.app_secret = 0, None
        self.set_parameter("batch_delay", "1")
        # Rows of jobs are deleted, not truncated: a trigger tells the runner.
        self.execute(
            "DELETE FROM queue_job;"
            "TRUNCATE meta_capi_event, meta_capi_attempt, meta_capi_pixel CASCADE;"
            "DELETE FROM mail_activity WHERE res_model = 'meta.capi.pixel'"
        )
        self.until(lambda: not self.open_requests(), "no request is under way")
        self.graph.clear()

    # The database --------------------------------------------------------------------

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        lines = self.sql(f"SELECT row_to_json(found)::text FROM ({query}) found")
        return [json.loads(line) for line in lines]

    def value(self, query: str) -> Any:
        """Return the one value of a query, an integer where it looks like one."""
        (row,) = self.rows(query)
        (value,) = row.values()
        return value

    def execute(self, statement: str) -> None:
        self.sql(statement)

    def count(self, table: str, condition: str = "true") -> int:
        return int(self.value(f"SELECT count(*) FROM {table} WHERE {condition}"))

    def pending(self, condition: str = "true") -> int:
        return self.count("meta_capi_event", f"state = 'pending' AND {condition}")

    # Time ----------------------------------------------------------------------------

    def end_waiting(self) -> None:
        """Let every wait be over: of events, of pixels, and of jobs nobody starts."""
        # Waiting for a row that a delivery holds would change what is being tested.
        past = "now() AT TIME ZONE 'UTC' - interval '1 second'"
        self.execute(
            f"UPDATE meta_capi_event SET next_attempt_at = {past} WHERE id IN ("
            f" SELECT id FROM meta_capi_event WHERE state = 'pending'"
            f" AND next_attempt_at > {past} FOR NO KEY UPDATE SKIP LOCKED)"
        )
        self.execute(
            f"UPDATE meta_capi_pixel SET wait_until = least(wait_until, {past}),"
            f" next_probe_at = least(next_probe_at, {past}) WHERE id IN ("
            f" SELECT id FROM meta_capi_pixel WHERE greatest(wait_until, next_probe_at)"
            f" > {past} FOR NO KEY UPDATE SKIP LOCKED)"
        )

    def age_jobs(self, older_than: int = 0) -> None:
        """Let jobs that are still not started have waited for over a minute."""
        self.execute(
            "UPDATE queue_job SET eta = eta - interval '61 seconds',"
            " date_created = date_created - interval '61 seconds',"
            " date_enqueued = date_enqueued - interval '61 seconds'"
            " WHERE state IN ('pending', 'enqueued') AND coalesce(eta, date_created)"
            " BETWEEN (now() AT TIME ZONE 'UTC') - interval '60 seconds'"
            f" AND (now() AT TIME ZONE 'UTC') - interval '{older_than} seconds'"
        )

    def sweep(self) -> None:
        """Have the cron's time come now, instead of every two minutes."""
        self.execute(
            "UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC'"
            " WHERE id IN (SELECT id FROM ir_cron"
            f" WHERE id = {self._cron} FOR NO KEY UPDATE SKIP LOCKED)"
        )
        self.sql_on_postgres(f"SELECT pg_notify('cron_trigger', '{self.database}')")

    def sweep_and_wait(self, seconds: float = PATIENCE) -> None:
        """Have the cron run, and wait until it has."""
        before = self._last_sweep()
        self.sweep_until(
            lambda: self._last_sweep() != before, "the sweep runs", seconds
        )

    def sweep_until(
        self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE
    ) -> None:
        """Call the cron until a condition holds."""
        asked = 0.0

        def swept() -> Any:
            nonlocal asked
            # Asked again: one that is under way may have looked too early.
            if time.monotonic() - asked > 5:
                self.sweep()
                asked = time.monotonic()
            return condition()

        self.until(swept, what, seconds)

    def _last_sweep(self) -> str | None:
        query = f"SELECT lastcall::text FROM ir_cron WHERE id = {self._cron}"
        last: str | None = self.value(query)
        return last

    @property
    def _cron(self) -> str:
        return (
            "(SELECT res_id FROM ir_model_data"
            f" WHERE module = '{ADDON}' AND name = 'ir_cron_sweep')"
        )

    def until(
        self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE
    ) -> Any:
        """Wait until a condition holds, and return its value."""
        return until(
            condition,
            f"Not so after {seconds:.0f} s: {what}.",
            seconds,
            poll=POLL,
            meanwhile=self.server.check,
        )

    # What scenarios do and look at -------------------------------------------------

    def row_of(self, pixel: Pixel) -> dict[str, Any]:
        found = self.rows(
            "SELECT *, extract(epoch FROM wait_until - now() AT TIME ZONE 'UTC') AS wait"
            f" FROM meta_capi_pixel WHERE pixel_id = '{pixel.id}'"
        )
        return found[0] if found else {"state": None, "wait": None}

    def until_sent(
        self, what: str, condition: str = "true", seconds: float = PATIENCE
    ) -> None:
        self.until(lambda: not self.pending(condition), what, seconds)

    def until_jobs_are_due(self) -> None:
        is_ahead = "eta >= now() AT TIME ZONE 'UTC'"
        self.until(lambda: not self.count("queue_job", is_ahead), "every job is due")

    def is_stopped(self, pixel: Pixel) -> bool:
        return bool(self.row_of(pixel)["state"] == "stopped")

    def until_stopped(self, pixel: Pixel) -> None:
        self.until(lambda: self.is_stopped(pixel), "the pixel is stopped")

    def release(self, pixel: Pixel) -> None:
        """Let the pixel run again, by a new token."""
        self.graph.pixels[pixel.id] = {new_token()}
        self.give_token(pixel)

    def do_not_wait(self) -> None:
        """Have events delivered at once from now on, and nothing by the jobs that wait."""
        self.set_parameter("batch_delay", "1")
        self.execute("DELETE FROM queue_job WHERE state = 'pending'")

    def click(self, action: str, events: list[dict[str, Any]]) -> None:
        """Press a button of the log as the administrator, for these events."""
        names = [event["event_id"] for event in events]
        client = self.client()
        ids = client.call("meta.capi.event", "search", [("event_id", "in", names)])
        client.call("meta.capi.event", action, ids)

    def is_asked(self, pixel: Pixel, before: int) -> bool:
        return self.requests(pixel) > before

    def count_events(self, condition: str) -> int:
        return self.count("meta_capi_event", condition)

    def state_of(self, event_id: str, column: str = "state") -> Any:
        return self.value(
            f"SELECT {column} FROM meta_capi_event WHERE event_id = '{event_id}'"
        )

    def tries_of(self, condition: str) -> list[int]:
        """Return the different numbers of tries that events have."""
        found = self.rows(
            "SELECT DISTINCT coalesce(attempt_count, 0) AS tries FROM meta_capi_event"
            f" WHERE {condition} ORDER BY tries"
        )
        return [row["tries"] for row in found]

    def times_alone(self, event_id: str) -> int:
        """Count the requests that carried this event and no other."""
        return sum(
            [event["event_id"] for event in request.body["data"]] == [event_id]
            for request in list(self.graph.requests)
        )

    def jump(self, pixel: Pixel, event_id: str) -> float:
        """Let the time come at which an event is tried next; return the seconds until it."""
        condition = f"event_id = '{event_id}' AND state = 'pending'"
        wait = self.rows(
            "SELECT greatest(extract(epoch FROM next_attempt_at"
            " - now() AT TIME ZONE 'UTC'), 0) AS wait"
            f" FROM meta_capi_event WHERE {condition}"
        )
        if not wait:
            return 0
        before = self.times_alone(event_id)
        self.execute(
            "UPDATE meta_capi_event SET next_attempt_at = now() AT TIME ZONE 'UTC'"
            f" - interval '1 second' WHERE {condition}"
        )
        self.sweep_until(
            lambda: (
                self.times_alone(event_id) > before
                or self.state_of(event_id) != "pending"
            ),
            "it is tried",
        )
        is_due = f"{condition} AND next_attempt_at <= now() AT TIME ZONE 'UTC'"
        self.until(lambda: not self.count_events(is_due), "the answer is on record")
        return float(wait[0]["wait"])

    # Recording -----------------------------------------------------------------------

    def recorder(self) -> Recorder:
        """Return somebody who records events over a session of their own."""
        return Recorder(self, self._action)

    # The Graph -----------------------------------------------------------------------

    def requests(self, pixel: Pixel | None = None) -> int:
        """Count the requests so far."""
        return sum(
            pixel is None or request.pixel_id == pixel.id
            for request in list(self.graph.requests)
        )

    def open_requests(self) -> int:
        return sum(request.ending == "open" for request in self.graph.requests[-10:])

    # Violence ------------------------------------------------------------------------

    def workers(self) -> list[int]:
        """Return the processes that Odoo has forked: workers, crons and the runner.

        Not the one for websockets, which has nothing to do with events.
        """
        pid, found = self.server.process.pid, []
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(OSError):  # it has ended
                words = Path("/proc", child, "cmdline").read_bytes().split(b"\0")
                # One that has ended, and that nobody has asked for yet, has no words.
                if any(words) and b"gevent" not in words:
                    found.append(int(child))
        return sorted(found)

    def kill_worker(self, dice: random.Random) -> bool:
        """End one of Odoo's processes with SIGKILL, as the kernel would."""
        workers = self.workers()
        if not workers:
            return False
        try:
            os.kill(dice.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def forbid_requeue(self) -> None:
        """Keep the runner from finding dead jobs, as older ones of it do not look.

        It takes a job that nobody has locked for dead 10 seconds after it was
        enqueued, so one without that time is left alone.
        """
        self.execute(
            f"""
            UPDATE queue_job SET date_enqueued = NULL
             WHERE state IN ('started', 'enqueued')
               AND date_enqueued < now() AT TIME ZONE 'UTC'
                                   - interval '{LOCKED_AFTER} seconds'
               AND (id IN (SELECT queue_job_id FROM queue_job_lock
                              FOR NO KEY UPDATE SKIP LOCKED)
                    OR NOT EXISTS (SELECT FROM queue_job_lock
                                    WHERE queue_job_id = queue_job.id))
            """
        )


class Recorder:
    """A client that records events over RPC, and tries again until it is told so."""

    def __init__(self, shop: Shop, action: int) -> None:
        self._shop = shop
        self._action = action
        self._client: OdooClient | None = None
        self.repeated = 0

    def record(
        self, pixel: Pixel, events: Sequence[Mapping[str, Any]], pause: float = 0
    ) -> None:
        """Record events in one transaction, and return when it is known as committed.

        A transaction that broke, or of which no answer came, is made once more, with
        the same ids: whether it had been committed nobody knows.

        :param pause: seconds the transaction stays open
        """
        context = {
            "chaos_events": list(events),
            "chaos_website": pixel.website_id or 0,
            "chaos_pause": pause,
        }
        deadline = time.monotonic() + RECORDING_PATIENCE
        while True:
            try:
                if self._client is None:
                    self._client = self._shop.client()
                self._client.call(
                    "ir.actions.server", "run", [self._action], context=context
                )
                return
            except (Problem, http.client.HTTPException) as error:
                if time.monotonic() > deadline:
                    raise Problem(f"Events cannot be recorded: {error}") from None
                self.repeated += 1
                self._client = None
                time.sleep(POLL)
