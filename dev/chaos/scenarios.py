"""The mishaps that `make chaos` lets happen, each with what must hold afterwards."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..console import say
from ..sandbox import (
    DAY,
    Fault,
    ReceivedRequest,
    empty_body,
    error,
    hang,
    http,
    missing_events_received,
    missing_messages,
    redirect,
    reset,
    reset_after_accept,
    short_events_received,
    slow,
    throttled,
    truncated_json,
    with_headers,
)
from ..testing.suite import Tally
from .audit import check_deliveries, check_log, check_repeats, check_states
from .shop import PATIENCE, POLL, Pixel, Shop

HOUR = 3600
# More than Meta takes, and for how long it recognises a copy.
_TOO_OLD = 8 * DAY
_COPY_TOO_OLD = 49 * HOUR
# Seconds between two times that all waits are ended, and that the cron is called.
_SHIFT_EVERY = 1.5
_SWEEP_EVERY = 6.0

# Every way to fail but one: a refusal of the payload that comes by chance would make
# good events invalid, and rightly so. Poisoned events stand for it.
MISHAPS: tuple[tuple[str, Fault], ...] = (
    ("code 1", error(1)),
    ("code 1 with error_data as text", error(1, error_data_as_string=True)),
    ("code 2", error(2, is_transient=True)),
    ("code 2 in HTTP 200", error(2, in_http_200=True)),
    ("code 4", error(4, headers={"Retry-After": "20"})),
    ("code 17", error(17)),
    ("code 190", error(190, 463)),
    ("code 200", error(200)),
    ("code 100/33", error(100, 33)),
    ("code 100 without a subcode", error(100)),
    ("a code nobody knows", error(987654)),
    ("throttled for 2 minutes", throttled(minutes=2)),
    ("HTTP 429", http(429, headers={"Retry-After": "90"})),
    ("HTML with 502", http(502)),
    ("HTML with 200, taken in", http(200, accept=True)),
    ("HTTP 500, taken in", http(500, accept=True)),
    ("redirect", redirect("http://127.0.0.1:9/")),
    ("half a JSON", truncated_json()),
    ("half a JSON, taken in and cut", truncated_json(accept=True, cut=True)),
    ("empty body", empty_body()),
    ("empty body, taken in", empty_body(accept=True)),
    ("one event not counted", short_events_received()),
    ("no events_received, taken in", missing_events_received(accept=True)),
    ("no messages", missing_messages()),
    ("slow", slow(2)),
    ("no answer", hang()),
    ("reset", reset()),
    ("reset, taken in", reset_after_accept()),
    ("nearly throttled", with_headers({"X-App-Usage": '{"call_count": 95}'})),
)
# What a short form has no time for.
_LASTING = {"no answer", "slow"}


@dataclass
class Events:
    """Makes events, and keeps which were recorded for sure."""

    prefix: str

    def __post_init__(self) -> None:
        self.recorded: set[tuple[str, str, str | None]] = set()
        self._made = 0

    def make(self, count: int) -> list[dict[str, Any]]:
        """Return the arguments of ``send_events`` for new events."""
        numbers = range(self._made, self._made + count)
        self._made += count
        now = int(time.time())
        return [
            {
                "event_name": "Lead",
                "event_id": f"{self.prefix}-{number}",
                "event_time": now,
                "user_data": {"em": f"{self.prefix}.{number}@example.com"},
                "custom_data": {"value": number / 4, "currency": "EUR"},
            }
            for number in numbers
        ]

    def committed(self, pixel: Pixel, events: list[dict[str, Any]]) -> None:
        for event in events:
            self.recorded.add((pixel.id, "Lead", event["event_id"]))

    def valid(self, poisoned: set[str]) -> set[tuple[str, str, str | None]]:
        return {key for key in self.recorded if key[2] not in poisoned}


class Ticker:
    """Makes hours of waiting pass in moments, while something else is waited for."""

    def __init__(self, shop: Shop, job_patience: int = 10) -> None:
        """Make jobs a minute old that are not started for so many seconds."""
        self._shop = shop
        self._job_patience = job_patience
        self._shifted = self._swept = 0.0
        self.requeue_forbidden = False

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._shifted > _SHIFT_EVERY:
            self._shop.end_waiting()
            self._shop.age_jobs(older_than=self._job_patience)
            if self.requeue_forbidden:
                self._shop.forbid_requeue()
            self._shifted = time.monotonic()
        if now - self._swept > _SWEEP_EVERY:
            self._shop.sweep()
            self._swept = time.monotonic()
        time.sleep(POLL)

    def until(self, condition: Callable[[], Any], what: str, seconds: float) -> None:
        def ticked() -> Any:
            self.tick()
            return condition()

        self._shop.until(ticked, what, seconds)


# ------------------------------------------------------------------ everything at once


@dataclass(frozen=True)
class Storm:
    """How much of everything, and for how long."""

    events: int = 10_000
    transactions: int = 200
    poisoned: int = 12
    kills: int = 20
    restarts: int = 2
    # Seconds over which all that is spread.
    seconds: float = 120
    # How many of the requests go wrong, as a share.
    failing: float = 0.4
    # Every kind of failure must have happened.
    thorough: bool = True


def storm(
    shop: Shop,
    seed: int,
    tally: Tally,
    size: Storm | None = None,
    restart_postgres: Callable[[], str] | None = None,
) -> None:
    """Record while the sandbox fails, workers are killed and PostgreSQL restarts."""
    _Storm(shop, seed, size or Storm(), restart_postgres).run(tally)


class _Storm:
    def __init__(
        self,
        shop: Shop,
        seed: int,
        size: Storm,
        restart_postgres: Callable[[], str] | None,
    ) -> None:
        self.shop = shop
        self.size = size
        self.dice = random.Random(f"storm {seed}")
        self.events = Events(f"storm-{seed}")
        self.ticker = Ticker(shop, job_patience=10 if size.thorough else 2)
        self.mishaps = [
            (name, fault)
            for name, fault in MISHAPS
            if size.thorough or name not in _LASTING
        ]
        self.poisoned: set[str] = set()
        self.killed = 0
        self.restarted: list[str] = []
        self.recorders = [shop.recorder() for _ in range(2)]
        self._restart_postgres = restart_postgres
        shop.graph.faults.seed(seed)

    def run(self, tally: Tally) -> None:
        started = time.monotonic()
        work = self._plan()
        self._script()
        with ThreadPoolExecutor(len(self.recorders)) as pool:
            begin = time.monotonic()
            futures = [
                pool.submit(self._record, recorder, work[index :: len(self.recorders)])
                for index, recorder in enumerate(self.recorders)
            ]
            self._wreak_havoc(futures, begin)
            for future in futures:
                future.result()
        self._see_all_mishaps()
        left = self._left_by_the_dead()
        happened = self._mishaps_so_far()
        self.shop.graph.heal()
        healed = time.monotonic()
        self._drain()
        say(
            f"    {sum(happened.values())} requests went wrong in"
            f" {len(happened)} of {len(self.mishaps)} ways, {self.killed} processes"
            f" killed, PostgreSQL restarted {len(self.restarted)} times"
            f" ({', '.join(self.restarted) or 'not at all'});"
            f" {sum(r.repeated for r in self.recorders)} transactions made again;"
            f" jobs left behind: {left or 'none'}"
        )
        say(
            f"    {healed - started:.0f} s of trouble,"
            f" {time.monotonic() - healed:.0f} s to drain after it"
        )
        self._judge(tally, happened)

    def _plan(self) -> list[tuple[Pixel, list[dict[str, Any]]]]:
        """Deal the events out to transactions of different sizes, each of one pixel."""
        cuts = sorted(
            self.dice.sample(range(1, self.size.events), self.size.transactions - 1)
        )
        sizes = [
            stop - start
            for start, stop in zip([0, *cuts], [*cuts, self.size.events], strict=True)
        ]
        work = [
            (self.dice.choice(self.shop.pixels), self.events.make(n)) for n in sizes
        ]
        ids = [event["event_id"] for _pixel, events in work for event in events]
        self.poisoned = set(self.dice.sample(ids, self.size.poisoned))
        return work

    def _script(self) -> None:
        """Let requests fail by chance, each in any of the ways."""
        chance = 1 - (1 - self.size.failing) ** (1 / len(self.mishaps))
        for _name, fault in self.mishaps:
            self.shop.graph.fail_always(fault, probability=chance)
        self.shop.graph.poison(self.poisoned)

    def _record(
        self, recorder: Any, work: list[tuple[Pixel, list[dict[str, Any]]]]
    ) -> None:
        """Record one transaction after the other, evenly over the time of trouble."""
        pace = self.size.seconds / len(work)
        begin = time.monotonic()
        for number, (pixel, events) in enumerate(work):
            time.sleep(max(begin + number * pace - time.monotonic(), 0))
            recorder.record(pixel, events)
            self.events.committed(pixel, events)

    def _wreak_havoc(self, futures: list[Future[None]], begin: float) -> None:
        """Kill and restart at moments of chance, until everything is recorded."""
        moments = sorted(
            [(self._moment(), "kill") for _ in range(self.size.kills)]
            + [(self._moment(), "restart") for _ in range(self.size.restarts)]
        )
        while moments or not all(future.done() for future in futures):
            if moments and time.monotonic() - begin >= moments[0][0]:
                _moment, what = moments.pop(0)
                if what == "restart":
                    self._restart()
                else:
                    self._kill()
            self.ticker.tick()

    def _moment(self) -> float:
        return self.dice.uniform(0.05, 0.95) * self.size.seconds

    def _kill(self) -> None:
        """Kill one process; most times while a request is under way."""
        if self.dice.random() < 0.7:
            deadline = time.monotonic() + 2
            while not self.shop.open_requests() and time.monotonic() < deadline:
                time.sleep(0.002)
        # At any point of the request, or between it and the commit.
        time.sleep(self.dice.uniform(0, 0.03))
        while not self.shop.kill_worker(self.dice):
            time.sleep(POLL)
        self.killed += 1
        # The runner of queue_job looks for dead jobs; half the time ours does not.
        self.ticker.requeue_forbidden = self.killed > self.size.kills / 2

    def _restart(self) -> None:
        assert self._restart_postgres
        self.restarted.append(self._restart_postgres())

    def _see_all_mishaps(self) -> None:
        """Let happen what did not happen by chance."""
        if not self.size.thorough:
            return
        happened = self._mishaps_so_far()
        self.shop.graph.heal()
        for name, fault in self.mishaps:
            if name not in happened:
                self.shop.graph.fail_next(fault)
        deadline = time.monotonic() + 2 * PATIENCE
        recorder = self.recorders[0]
        while self.shop.graph.faults.summary()["rules"]:
            if not self.shop.pending():
                pixel, events = self.shop.pixels[0], self.events.make(1)
                recorder.record(pixel, events)
                self.events.committed(pixel, events)
            self.ticker.tick()
            if time.monotonic() > deadline:
                break

    def _mishaps_so_far(self) -> Counter[str]:
        names = {id(fault): name for name, fault in self.mishaps}
        found = (names.get(id(request.fault)) for request in self.shop.graph.requests)
        return Counter(name for name in found if name)

    def _left_by_the_dead(self) -> str:
        """Count the jobs that nobody will ever end, by state."""
        found = self.shop.rows(
            "SELECT state, count(*) AS count FROM queue_job"
            " WHERE state IN ('started', 'enqueued') AND date_enqueued IS NULL"
            " GROUP BY state ORDER BY state"
        )
        return ", ".join(f"{row['count']} {row['state']}" for row in found)

    def _drain(self) -> None:
        """Wait until nothing is pending any more; what stays is judged."""
        deadline = time.monotonic() + PATIENCE
        while self.shop.pending() and time.monotonic() < deadline:
            self.ticker.tick()
        while self.shop.open_requests() and time.monotonic() < deadline:
            time.sleep(POLL)

    def _judge(self, tally: Tally, happened: Counter[str]) -> None:
        count = len(self.events.recorded)
        tally.check(
            count >= self.size.events,
            f"{count} events recorded, each known as committed",
        )
        if self.size.thorough:
            missing = {name for name, _fault in self.mishaps} - set(happened)
            tally.check(not missing, f"every mishap happened{_but(missing)}")
        check_states(self.shop, self.poisoned, count, tally)
        check_deliveries(self.shop, self.events.valid(self.poisoned), tally)
        check_log(self.shop, tally)


# ----------------------------------------------------------------------------- poison


def poison(
    shop: Shop, seed: int, tally: Tally, count: int = 1000, bad: int = 7
) -> None:
    """Refuse any batch that holds one of a few events."""
    dice = random.Random(f"poison {seed}")
    pixel, events = shop.pixels[0], Events(f"poison-{seed}")
    made = events.make(count)
    poisoned = set(dice.sample([event["event_id"] for event in made], bad))
    shop.graph.poison(poisoned)
    with _at_once(shop):
        shop.recorder().record(pixel, made)
        events.committed(pixel, made)
    shop.until(lambda: not shop.pending(), "the good ones are sent")
    requests, bound = shop.requests(), 2 * bad * (math.ceil(math.log2(count)) + 1)
    tally.check(requests <= bound, f"{requests} requests; at most {bound} are allowed")
    check_states(shop, poisoned, count, tally)
    check_deliveries(shop, events.valid(poisoned), tally)
    check_log(shop, tally)


def ambiguous(shop: Shop, seed: int, tally: Tally, count: int = 200) -> None:
    """Refuse whatever holds one event, without saying that it is the event's fault."""
    dice = random.Random(f"ambiguous {seed}")
    pixel, events, ticker = shop.pixels[0], Events(f"ambiguous-{seed}"), Ticker(shop)
    made = events.make(count)
    poisoned = {dice.choice(made)["event_id"]}
    shop.graph.poison(poisoned, 100, None)
    shop.recorder().record(pixel, made)
    events.committed(pixel, made)
    ticker.until(lambda: not shop.pending(), "nothing is pending", PATIENCE)
    check_states(shop, poisoned, count, tally)
    check_deliveries(shop, events.valid(poisoned), tally)
    check_log(shop, tally)


@contextmanager
def _at_once(shop: Shop) -> Iterator[None]:
    """Keep delivery from beginning while a batch is still being recorded."""
    shop.set_parameter("batch_delay", "5")
    yield
    shop.set_parameter("batch_delay", "1")


# ----------------------------------------------------------------------------- a token


def revoked_token(shop: Shop, _seed: int, tally: Tally, count: int = 200) -> None:
    """Take one pixel's token away while events of two pixels are being recorded."""
    held, other = shop.pixels[0], shop.pixels[1]
    events, recorder = Events("token"), shop.recorder()

    def record(transactions: int) -> None:
        for _ in range(transactions):
            for pixel in (held, other):
                made = events.make(count // 20)
                recorder.record(pixel, made)
                events.committed(pixel, made)

    def requests() -> list[ReceivedRequest]:
        return [r for r in list(shop.graph.requests) if r.pixel_id == held.id][before:]

    def stopped() -> bool:
        return bool(row_of(shop, held)["state"] == "stopped")

    record(10)
    shop.until(lambda: shop.requests(held), "delivery has begun")
    known = shop.graph.pixels[held.id]
    shop.graph.pixels[held.id] = {"revoked"}
    shop.until(lambda: not shop.open_requests(), "no request is under way")
    before = shop.requests(held)
    record(10)
    shop.until(stopped, "the pixel is stopped")
    shop.until(
        lambda: not shop.pending(f"pixel_id = '{other.id}'"), "the other is sent"
    )
    shop.sweep_and_wait()
    shop.sweep_and_wait()
    tally.check(
        len(requests()) == 1,
        f"{len(requests())} request with the revoked token, then none, also when swept",
    )
    _check_notices(shop, tally)
    shop.execute("UPDATE meta_capi_pixel SET next_probe_at = stopped_at")
    shop.sweep_and_wait()
    shop.until(lambda: len(requests()) > 1, "the probe")
    shop.until(lambda: not shop.open_requests(), "the probe is answered")
    shop.sweep_and_wait()
    sizes = [len(request.body["data"]) for request in requests()[1:]]
    tally.check(
        len(sizes) == 1 and sizes[0] <= 10 and stopped(),
        f"after an hour (shifted) one probe, of {sizes} events; it stays stopped",
    )
    _check_notices(shop, tally)
    pending = shop.pending(f"pixel_id = '{held.id}'")
    lost = shop.value("SELECT count(*) FROM meta_capi_event WHERE state = 'failed'")
    tally.check(pending > 0 and not lost, f"{pending} events held, {lost} failed")
    shop.graph.pixels[held.id] = {f"{known.pop()}NEW"}
    shop.give_token(held)
    shop.until(lambda: not shop.pending(), "all is sent with the new token")
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    notices = _count_notices(shop)
    tally.check(not notices, f"{notices} notices are left when it runs again")
    check_log(shop, tally)


def row_of(shop: Shop, pixel: Pixel) -> dict[str, Any]:
    found = shop.rows(
        "SELECT *, extract(epoch FROM wait_until - now() AT TIME ZONE 'UTC') AS wait"
        f" FROM meta_capi_pixel WHERE pixel_id = '{pixel.id}'"
    )
    return found[0] if found else {"state": None, "wait": None}


def _count_notices(shop: Shop) -> int:
    return int(
        shop.value(
            "SELECT count(*) FROM mail_activity WHERE res_model = 'meta.capi.pixel'"
        )
    )


def _check_notices(shop: Shop, tally: Tally) -> None:
    found = _count_notices(shop)
    tally.check(found == shop.managers, f"{found} notices for {shop.managers} managers")


# ---------------------------------------------------------------------------- an outage


def outage(shop: Shop, _seed: int, tally: Tally, count: int = 20_000) -> None:
    """Have Meta away for a day; then some events are too old, others go out at once."""
    pixel, events, recorder = shop.pixels[0], Events("outage"), shop.recorder()
    copies = events.make(100)
    # They arrive, and nobody is told: their outcome stays unknown.
    shop.graph.fail_always(reset_after_accept())
    recorder.record(pixel, copies)
    shop.until(shop.requests, "they are sent once")
    shop.graph.heal()
    shop.graph.fail_always(http(503))
    size = 500
    for _ in range(count // size):
        made = events.make(size)
        recorder.record(pixel, made)
        events.committed(pixel, made)
    late = events.make(100)
    recorder.record(pixel, late)
    shop.until(lambda: shop.requests() >= 3, "delivery is refused a few times")
    _shift_a_day(shop, [e["event_id"] for e in copies], [e["event_id"] for e in late])
    times = _event_times(shop)
    shop.graph.heal()
    before = len(shop.graph.requests)
    shop.execute(
        "UPDATE meta_capi_event SET next_attempt_at = event_time WHERE id = ("
        "SELECT id FROM meta_capi_event WHERE event_id LIKE 'outage-%' AND NOT"
        f" {_among(copies + late)} ORDER BY event_time, id LIMIT 1)"
    )
    started = time.monotonic()
    shop.sweep_until(
        lambda: shop.requests() > before, "the first request after the outage"
    )
    shop.until(lambda: not shop.pending(), "the backlog is sent")
    seconds = time.monotonic() - started
    requests = shop.graph.requests[before:]
    _check_order(requests, count, seconds, tally)
    sent = {event["event_id"] for request in requests for event in request.body["data"]}
    old = {event["event_id"] for event in copies + late}
    expired = shop.value(
        "SELECT count(*) FROM meta_capi_event WHERE failure_reason = 'expired'"
        f" AND {_among(copies + late)}"
    )
    tally.check(
        not sent & old and expired == len(old),
        f"of {len(late)} events 8 days old and {len(copies)} of unknown outcome 49 hours"
        f" old {len(sent & old)} were sent, {expired} are expired",
    )
    moved = sum(times[key] != moment for key, moment in _event_times(shop).items())
    at_sandbox = {
        event.key[2]: event.event["event_time"] for event in shop.graph.events
    }
    moved += sum(
        moment != times[str(key)]
        for key, moment in at_sandbox.items()
        if key not in old
    )
    tally.check(not moved, f"{moved} event times changed by delivery")
    delivered = set(shop.graph.deliveries()) - {
        (pixel.id, "Lead", event["event_id"]) for event in copies
    }
    tally.check(
        delivered == events.recorded,
        f"{len(delivered)} of {len(events.recorded)} events of the outage delivered",
    )
    check_repeats(shop, tally)
    check_log(shop, tally)


def _among(events: list[dict[str, Any]]) -> str:
    names = ", ".join(f"'{event['event_id']}'" for event in events)
    return f"event_id IN ({names})"


def _shift_a_day(shop: Shop, copies: list[str], late: list[str]) -> None:
    """Make a day pass: everything happened over it, all is waiting for hours now."""
    now = "date_trunc('second', now() AT TIME ZONE 'UTC')"
    quoted = {
        key: ", ".join(map(repr, ids)) for key, ids in (("c", copies), ("l", late))
    }
    shop.execute(
        f"""
        UPDATE meta_capi_attempt SET started_at = started_at - interval '24 hours';
        UPDATE meta_capi_attempt
           SET started_at = {now} - interval '{_COPY_TOO_OLD} seconds'
         WHERE id = (SELECT min(id) FROM meta_capi_attempt);
        UPDATE meta_capi_pixel SET failing_since = {now} - interval '24 hours';
        UPDATE meta_capi_event event
           SET event_time = {now} - CASE
                   WHEN event_id IN ({quoted["l"]}) THEN interval '{_TOO_OLD} seconds'
                   WHEN event_id IN ({quoted["c"]})
                   THEN interval '{_COPY_TOO_OLD + 60} seconds'
                   ELSE (86400 - place * 86400.0 / total) * interval '1 second'
               END,
               next_attempt_at = {now} + (1 + event.id % 9) * interval '1 hour'
          FROM (SELECT id, rank() OVER (ORDER BY id) AS place, count(*) OVER () AS total
                  FROM meta_capi_event) AS line
         WHERE line.id = event.id;
        UPDATE meta_capi_event SET event_time = date_trunc('second', event_time);
        """
    )


def _event_times(shop: Shop) -> dict[str, int]:
    found = shop.rows(
        "SELECT event_id, extract(epoch FROM event_time)::bigint AS moment"
        " FROM meta_capi_event"
    )
    return {row["event_id"]: row["moment"] for row in found}


def _check_order(
    requests: list[ReceivedRequest], count: int, seconds: float, tally: Tally
) -> None:
    """After the first request, all others follow at once, the oldest events first."""
    times = [
        event["event_time"] for request in requests for event in request.body["data"]
    ]
    sizes = [len(request.body["data"]) for request in requests]
    tally.check(
        sizes[0] == 1 and len(times) == count,
        f"one event was due; its success made {sum(sizes[1:])} others due, sent by"
        f" {len(sizes) - 1} requests within {seconds:.0f} s",
    )
    tally.check(times == sorted(times), "they were claimed in the order of their age")


# ------------------------------------------------------------------------ a rate limit


def throttle(shop: Shop, _seed: int, tally: Tally, minutes: int = 19) -> None:
    """Be told to wait, and wait that long."""
    pixel, events, recorder = shop.pixels[0], Events("throttle"), shop.recorder()

    def record() -> None:
        made = events.make(50)
        recorder.record(pixel, made)
        events.committed(pixel, made)

    shop.graph.fail_next(throttled(minutes=minutes))
    record()
    shop.until(lambda: row_of(shop, pixel)["wait"], "Meta's wish is on record")
    wait = row_of(shop, pixel)["wait"]
    asked = minutes * 60
    tally.check(
        asked - 30 <= wait <= asked + 1,
        f"told {minutes} minutes; the pixel waits for another {wait:.0f} s",
    )
    requests = 1
    for _ in range(minutes - 1):
        _pass_time(shop, 60)
    record()
    shop.sweep_and_wait()
    shop.sweep_and_wait()
    shop.until(
        lambda: not shop.value("SELECT count(*) FROM queue_job WHERE state <> 'done'"),
        "every job has had its turn",
    )
    tally.check(
        shop.requests() == requests,
        f"{shop.requests() - requests} requests in the following {minutes - 1} minutes"
        " (shifted), with new events, jobs and sweeps",
    )
    _pass_time(shop, 60)
    shop.sweep_and_wait()
    shop.until(lambda: not shop.pending(), "they are sent when the time is over")
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def _pass_time(shop: Shop, seconds: int) -> None:
    shop.execute(
        f"UPDATE meta_capi_pixel SET wait_until = wait_until - interval '{seconds} s';"
        " UPDATE meta_capi_event"
        f" SET next_attempt_at = next_attempt_at - interval '{seconds} s'"
        " WHERE state = 'pending'"
    )


# ----------------------------------------------------------------- jobs that never come


def no_runner(shop: Shop, _seed: int, tally: Tally, count: int = 500) -> None:
    """Run no jobrunner at all: the sweep delivers by itself."""
    events, recorder = Events("sweep"), shop.recorder()
    for pixel in shop.pixels:
        made = events.make(count)
        recorder.record(pixel, made)
        events.committed(pixel, made)
    shop.sweep_and_wait()
    waiting = shop.pending()
    shop.until(
        lambda: (
            not shop.value(
                "SELECT count(*) FROM queue_job WHERE eta >= now() AT TIME ZONE 'UTC'"
            )
        ),
        "every job is due",
    )
    shop.age_jobs()
    shop.sweep_and_wait()
    shop.until(lambda: not shop.pending(), "the sweep delivers")
    states = shop.rows("SELECT state, count(*) AS count FROM queue_job GROUP BY state")
    tally.check(
        waiting > 0 and {row["state"] for row in states} == {"pending"},
        f"{waiting} events waited for a runner; a minute later (shifted) the sweep sent"
        f" them, {states[0]['count']} jobs were never started",
    )
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def orphaned_jobs(shop: Shop, _seed: int, tally: Tally) -> None:
    """Leave jobs enqueued whose process is gone, and that no runner looks for."""
    pixel, events, recorder = shop.pixels[0], Events("orphans"), shop.recorder()
    for _ in range(4):
        made = events.make(25)
        recorder.record(pixel, made)
        events.committed(pixel, made)
        shop.execute(
            "UPDATE queue_job SET state = 'enqueued',"
            " date_enqueued = now() AT TIME ZONE 'UTC',"
            " eta = (now() AT TIME ZONE 'UTC') - interval '61 seconds'"
            " WHERE state = 'pending'"
        )
    jobs = shop.value("SELECT count(*) FROM queue_job")
    for _ in range(3):
        shop.sweep_and_wait()
    pending = shop.pending()
    tally.check(
        not pending,
        f"{jobs} jobs left enqueued by the dead: after three sweeps {pending} of"
        f" {len(events.recorded)} events still wait",
    )
    check_log(shop, tally)


def lost_jobs(shop: Shop, _seed: int, tally: Tally) -> None:
    """Delete the rows of jobs by hand: the sweep finds the strays."""
    events, recorder = Events("strays"), shop.recorder()
    shop.set_parameter("batch_delay", "600")
    for pixel in shop.pixels:
        made = events.make(100)
        recorder.record(pixel, made)
        events.committed(pixel, made)
    deleted = shop.value("SELECT count(*) FROM queue_job")
    shop.execute("DELETE FROM queue_job")
    started = time.monotonic()
    shop.sweep_and_wait()
    shop.until(lambda: not shop.pending(), "the strays are sent")
    shop.set_parameter("batch_delay", "1")
    tally.check(
        deleted >= len(shop.pixels),
        f"{deleted} jobs deleted by hand; {len(events.recorded)} strays sent"
        f" {time.monotonic() - started:.0f} s after a sweep was called",
    )
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def long_transaction(shop: Shop, _seed: int, tally: Tally) -> None:
    """Hold a transaction open until the job it counted on has come and gone."""
    pixel, events = shop.pixels[0], Events("long")
    shop.set_parameter("batch_delay", "4")
    first, second = events.make(10), events.make(10)
    shop.recorder().record(pixel, first)
    shop.recorder().record(pixel, second, pause=10)
    events.committed(pixel, first + second)
    open_jobs = shop.value(
        "SELECT count(*) FROM queue_job WHERE state NOT IN ('done', 'failed')"
    )
    pending = shop.pending()
    tally.check(
        (pending, open_jobs) == (10, 0),
        f"{pending} events committed after their job had gone by, {open_jobs} jobs left",
    )
    shop.sweep_and_wait()
    shop.until(lambda: not shop.pending(), "the sweep finds them")
    shop.set_parameter("batch_delay", "1")
    interval = shop.rows(
        "SELECT interval_number AS n, interval_type AS unit FROM ir_cron"
        " WHERE id = (SELECT res_id FROM ir_model_data WHERE name = 'ir_cron_sweep')"
    )[0]
    tally.check(
        interval["unit"] == "minutes" and interval["n"] <= 2,
        f"the sweep found them; by itself it runs every {interval['n']}"
        f" {interval['unit']}",
    )
    check_states(shop, set(), len(events.recorded), tally)
    check_deliveries(shop, events.recorded, tally)
    check_log(shop, tally)


def _but(missing: set[str]) -> str:
    return f", but {', '.join(sorted(missing))}" if missing else ""
