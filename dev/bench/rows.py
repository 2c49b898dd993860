"""The rows of the benchmark: each is two things that are measured in turn, and a goal.

The machine may be busy and its speed may change: what counts is the ratio of two
measurements that were made right after one another, and its median over many rounds.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ..console import Problem, say
from ..odoo.server import Server
from . import data as bench_data
from .rig import (
    PIXEL,
    PIXELS,
    Rig,
    Visitors,
    Worker,
    in_parallel,
    sdk_python,
)

# Odoo's lightest public JSON route: it reads one field of the website.
_LIGHTEST_ROUTE = "/website/google_maps_api_key"
_BEACONS_PER_SECOND = 15
# One client may send one beacon a second.
_FLOOD_PER_SECOND = 20
_FLOODER = "198.19.0.1"

# A path, the content that makes a request another visitor's, and the answer's status.
Route = tuple[str, Callable[[int], Any], int]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    name: str
    rounds: int
    calls: int
    batch: int
    orders: int
    pending: int
    drains: int
    small_log: int
    large_log: int
    burst: int
    in_memory: int
    requests: int
    pages: int


FULL = Size(
    name="full",
    rounds=20,
    calls=50,
    batch=1000,
    orders=8,
    pending=50_000,
    drains=7,
    small_log=1000,
    large_log=1_000_000,
    burst=1000,
    in_memory=100_000,
    requests=40,
    pages=15,
)
MEDIUM = Size(
    name="medium",
    rounds=8,
    calls=25,
    batch=1000,
    orders=6,
    pending=16_000,
    drains=4,
    small_log=1000,
    large_log=200_000,
    burst=400,
    in_memory=30_000,
    requests=40,
    pages=15,
)
SMOKE = Size(
    name="smoke",
    rounds=1,
    calls=2,
    batch=10,
    orders=1,
    pending=200,
    drains=1,
    small_log=20,
    large_log=200,
    burst=6,
    in_memory=100,
    requests=4,
    pages=2,
)
SIZES = {size.name: size for size in (FULL, MEDIUM, SMOKE)}


@dataclass
class Figure:
    """What one comparison has given.

    :param pairs: of each round what was measured, and what it is compared with, in
        ``unit``
    :param goal: of the median of their ratios; ``at_most`` or at least
    :param is_absolute: it is compared with nothing, and the goal is of its own value
    """

    row: str
    what: str
    against: str
    unit: str
    goal: float
    at_most: bool = True
    is_absolute: bool = False
    pairs: list[tuple[float, float]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        return [
            mine if self.is_absolute else mine / other for mine, other in self.pairs
        ]

    @property
    def value(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The quarter of the rounds below, and the one above."""
        if len(self.ratios) < 2:
            return self.value, self.value
        low, _middle, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    @property
    def is_met(self) -> bool:
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    @property
    def measured(self) -> float:
        return statistics.median(mine for mine, _other in self.pairs)

    @property
    def compared(self) -> float:
        return statistics.median(other for _mine, other in self.pairs)


def _median_ms(seconds: list[float]) -> float:
    return 1000 * statistics.median(seconds)


# --------------------------------------------------------------------------- the rows


def record_single(rig: Rig, size: Size) -> list[Figure]:
    against_create = Figure(
        "1", "send_event of a Purchase", "create() of the same row", "ms", 1.5
    )
    against_job = Figure(
        "3", "send_event of a Purchase", "one with_delay() of the event", "ms", 0.5
    )
    mean: list[float] = []
    by_hand: list[float] = []
    with rig.worker() as worker:
        worker.call("record_single", first=_numbers(20), count=5)
        for _round in range(size.rounds):
            found = worker.call(
                "record_single", first=_numbers(size.calls), count=size.calls
            )
            mine, row, job, floor = map(_median_ms, found.values())
            against_create.pairs.append((mine, row))
            against_job.pairs.append((mine, job))
            mean.append(1000 * statistics.mean(found["send_event"]))
            by_hand.append(floor)
    against_create.notes["remark"] = (
        f"with its share of the jobs it makes, the mean: {statistics.median(mean):.2f} ms"
    )
    against_job.notes["remark"] = (
        "the floor, with nothing of Odoo but its cursor (normalise and hash, savepoint,"
        f" INSERT, look for a waiting job, COMMIT), is {statistics.median(by_hand):.2f} ms,"
        f" {statistics.median(by_hand) / against_job.compared:.2f}× of the job; the rest"
        " is the ORM's: environment, configuration, website, company and rights"
    )
    return [against_create, against_job]


def record_many(rig: Rig, size: Size) -> list[Figure]:
    figure = Figure(
        "2",
        f"{size.batch:,} events by send_events, each",
        "batch create() of the same rows",
        "ms",
        1.5,
    )
    with rig.worker() as worker:
        for number in range(size.rounds + 1):
            found = worker.call(
                "record_many", first=_numbers(size.batch), count=size.batch
            )
            if number or size.rounds == 1:  # the first one warms up
                mine, other = (
                    1000 * seconds / size.batch for seconds in found.values()
                )
                figure.pairs.append((mine, other))
    return [figure]


def confirm(rig: Rig, size: Size) -> list[Figure]:
    """Confirm orders, with our automation and another, with Meta well and ill."""
    armed = Figure(
        "4a", "action_confirm, Purchase armed", "an empty code automation", "ms", 1.3
    )
    hanging = Figure("4b", "action_confirm, Meta hangs", "Meta is well", "ms", 1.05)
    ours, empty = "automation_purchase", "bench_automation_nothing"
    with rig.worker() as worker, rig.worker() as deliverer:
        # The second goal is narrower than what one round differs from the next.
        hanging_rounds = 3 * size.rounds
        count = 2 + 2 * size.orders * size.rounds
        count += (2 * size.orders + 1) * hanging_rounds
        orders = iter(worker.call("make_orders", first=_numbers(count), count=count))

        def confirm(automation: str = ours) -> float:
            seconds: float = worker.call(
                "confirm", order_id=next(orders), automation=automation
            )
            return seconds

        for automation in (ours, empty):
            confirm(automation)
        for _round in range(size.rounds):
            seconds = [(confirm(ours), confirm(empty)) for _n in range(size.orders)]
            mine, other = map(list, zip(*seconds, strict=True))
            armed.pairs.append((_median_ms(mine), _median_ms(other)))

        def confirm_many() -> float:
            return _median_ms([confirm() for _n in range(size.orders)])

        def confirm_while_it_hangs() -> float:
            rig.sink.order("hang")
            confirm()
            _wait_for(lambda: rig.sink.order("look"), "a request hangs")
            milliseconds = confirm_many()
            _wait_for(lambda: rig.sink.order("look"), "it still hangs", seconds=0)
            rig.sink.order("heal")
            return milliseconds

        flag = rig.folder / "delivering"
        for number in range(hanging_rounds):
            flag.touch()
            deliverer.start("deliver_while", pixel_id=PIXEL, flag=str(flag))
            # By turns in the other order, so that neither is always the second.
            if number % 2:
                ill = confirm_while_it_hangs()
                well = confirm_many()
            else:
                well = confirm_many()
                ill = confirm_while_it_hangs()
            flag.unlink()
            deliverer.result()
            hanging.pairs.append((ill, well))
    return [armed, hanging]


def _wait_for(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Problem(f"Not so: {what}.")
        time.sleep(0.01)


def drain(rig: Rig, size: Size) -> list[Figure]:
    """Deliver the same events by the addon, by hand, and by Meta's own library."""
    what = f"draining {size.pending:,} pending events"
    by_hand = Figure(
        "5", what, "written by hand with psycopg2 and requests", "events/s", 0.7, False
    )
    by_sdk = Figure(
        "6", what, "Meta's own library, which stores nothing", "events/s", 1.0, False
    )
    with rig.worker() as worker:
        worker.call("fill", count=size.pending, pixel_ids=[PIXEL])
        has_sdk = _has_sdk()
        for _round in range(size.drains):
            worker.call("refill")
            start, end = worker.call("drain", pixel_ids=[PIXEL])
            mine = size.pending / (end - start)
            worker.call("refill")
            # As many events a request as ours of a megabyte.
            events, seconds = rig.floor(batch=800)
            if events != size.pending:
                raise Problem(f"By hand {events} of {size.pending} were delivered.")
            by_hand.pairs.append((mine, events / seconds))
            if has_sdk:
                sent, seconds = rig.sdk(size.pending)
                by_sdk.pairs.append((mine, sent / seconds))
    return [by_hand, by_sdk] if has_sdk else [by_hand]


def _has_sdk() -> bool:
    try:
        return bool(sdk_python())
    except Problem as problem:
        say(f"    {problem} Row 6 is left out.")
        return False


def two_workers(rig: Rig, size: Size) -> list[Figure]:
    figure = Figure(
        "7", "draining 4 pixels with 2 workers", "1 worker", "events/s", 1.6, False
    )
    with rig.worker() as worker, rig.worker() as other:
        worker.call("fill", count=size.pending, pixel_ids=PIXELS)
        _copy_to(worker, PIXELS[1:])
        for _round in range(size.drains):
            worker.call("refill")
            start, end = worker.call("drain", pixel_ids=PIXELS)
            alone = size.pending / (end - start)
            worker.call("refill")
            worker.start("drain", pixel_ids=PIXELS[:2])
            other.start("drain", pixel_ids=PIXELS[2:])
            spans = [worker.result(), other.result()]
            seconds = max(end for _s, end in spans) - min(start for start, _e in spans)
            figure.pairs.append((size.pending / seconds, alone))
        _copy_to(worker, ())
    return [figure]


def _copy_to(worker: Worker, pixel_ids: Sequence[str]) -> None:
    """Let these pixels have the token of the first; what is recorded is copied to them."""
    worker.call(
        "configure", parameters={"meta_capi.extra_pixel_ids": ",".join(pixel_ids)}
    )


def large_log(rig: Rig, size: Size) -> list[Figure]:
    figures = []
    with rig.worker() as worker:
        worker.call(
            "make_logs",
            sizes=[size.small_log, size.large_log],
            pending=2 * size.small_log,
            pixel_id=PIXEL,
        )
        calls = max(size.calls // 10, 1)
        for letter, step in zip("abcde", worker.call("steps"), strict=False):
            figure = Figure(
                f"8{letter}",
                f"{step} with {size.large_log:,} finished rows",
                f"with {size.small_log:,}",
                "ms",
                1.2,
            )

            def use(schema: str, step: str = step) -> float:
                seconds: float = worker.call(
                    "use_log",
                    schema=schema,
                    step=step,
                    number=_numbers(1),
                    pixel_id=PIXEL,
                )
                return seconds

            for schema in ("bench_small", "bench_large"):
                use(schema)
            for _round in range(size.rounds):
                seconds = [
                    (use("bench_large"), use("bench_small")) for _n in range(calls)
                ]
                large, small = map(list, zip(*seconds, strict=True))
                figure.pairs.append((_median_ms(large), _median_ms(small)))
            figure.notes["plans"] = _plans(worker, step)
            figures.append(figure)
    return figures


def _plans(worker: Worker, step: str) -> list[tuple[float, str]]:
    try:
        plans: list[tuple[float, str]] = worker.call(
            "explain_log",
            schema="bench_large",
            step=step,
            number=_numbers(1),
            pixel_id=PIXEL,
        )
    except Problem as problem:
        say(f"    no plans: {str(problem).splitlines()[-1]}")
        return []
    return plans


def memory(rig: Rig, size: Size) -> list[Figure]:
    figure = Figure(
        "10",
        f"memory of a worker, added by draining {size.in_memory:,} events",
        "at rest",
        "MB",
        60,
        is_absolute=True,
    )
    with rig.worker() as worker:
        worker.call("fill", count=size.in_memory, pixel_ids=[PIXEL])
        worker.call("refill")
    with rig.worker() as worker:
        found = worker.call("drain_in_memory", pixel_ids=[PIXEL])
    figure.pairs.append((found["peak"] - found["at_rest"], found["at_rest"]))
    return [figure]


def disk(rig: Rig, size: Size) -> list[Figure]:
    figure = Figure(
        "12",
        "disk per delivered event, attempts included",
        "its JSON",
        "bytes",
        4,
    )
    with rig.worker() as worker:
        worker.call("fill", count=size.pending, pixel_ids=[PIXEL])
        worker.call("refill")
        worker.call("drain", pixel_ids=[PIXEL])
        found = worker.call("disk")
    figure.pairs.append((found["on_disk"] / found["events"], found["body"]))
    return [figure]


def served(rig: Rig, size: Size) -> list[Figure]:
    """Ask a real server, with the queue's runner running."""
    with rig.serving() as server:
        return [
            *_burst(rig, server, size),
            *_beacons(rig, server, size),
            *_flood(server, size),
        ]


def _burst(rig: Rig, server: Server, size: Size) -> list[Figure]:
    """Record each event in a request of its own."""
    figure = Figure(
        "9",
        f"queue.job rows made by {size.burst:,} transactions in a burst",
        "",
        "rows",
        10,
        is_absolute=True,
    )

    # One after the other: Odoo makes a user's settings at the first login.
    clients = [rig.log_in(server) for _thread in range(2)]

    def record() -> None:
        client = clients.pop()
        for _n in range(size.burst // 2):
            arguments = bench_data.purchase(_numbers(1))
            client.call("meta.conversions.api", "send_event", **arguments)

    start = time.monotonic()
    in_parallel(2, record)
    figure.notes["seconds"] = time.monotonic() - start
    (jobs,) = rig.sql("SELECT count(*) FROM queue_job WHERE channel = 'root.meta_capi'")
    figure.pairs.append((float(jobs), size.burst))
    return [figure]


def _beacons(rig: Rig, server: Server, size: Size) -> list[Figure]:
    """Ask for the beacon's route and another one, and for a page under both."""
    rate = Figure(
        "11a",
        "beacons answered",
        "requests of Odoo's lightest public JSON route",
        "requests/s",
        0.7,
        False,
    )
    page = Figure(
        "11b",
        f"pages of the shop under {_BEACONS_PER_SECOND} beacons a second",
        "under as many requests of that route",
        "pages/s",
        0.7,
        False,
    )
    collect: Route = ("/meta_capi/collect", _beacon, 204)
    other: Route = (_LIGHTEST_ROUTE, _empty, 200)
    visitors = Visitors(server.url)
    for route in (collect, other):
        visitors.rate(*route, 4)
    visitors.get("/shop")
    sent = 4
    for _round in range(size.rounds):
        mine, others = (
            visitors.rate(*route, size.requests) for route in (collect, other)
        )
        rate.pairs.append((mine, others))
        sent += 2 * (size.requests // 2)
        with _traffic(_BEACONS_PER_SECOND, lambda: visitors.post(*collect)) as count:
            mine = statistics.median(visitors.get("/shop") for _n in range(5))
        sent += count[0]
        with _traffic(_BEACONS_PER_SECOND, lambda: visitors.post(*other)):
            others = statistics.median(visitors.get("/shop") for _n in range(5))
        page.pairs.append((1 / mine, 1 / others))
    (recorded,) = rig.sql(
        "SELECT count(*) FROM meta_capi_event WHERE event_name = 'ViewContent'"
    )
    if int(recorded) != sent:
        raise Problem(f"{sent} beacons were sent, {recorded} are recorded.")
    return [rate, page]


def _flood(server: Server, size: Size) -> list[Figure]:
    """Ask for a page alone, and while one client is refused again and again."""
    figure = Figure(
        "11c",
        f"a page of the shop while one client floods, {_FLOOD_PER_SECOND} beacons a second",
        "the page without",
        "ms",
        1.1,
    )
    visitors = Visitors(server.url)
    statuses: Counter[int] = Counter()

    send = visitors.repeat(_FLOODER, "/meta_capi/collect", _beacon(_numbers(1)))

    def knock() -> int:
        status = send()
        statuses[status] += 1
        return status

    for _n in range(size.requests):  # each worker has its caches to fill
        visitors.get("/shop")
    for number in range(size.rounds):
        times = {}
        for is_flooded in (True, False) if number % 2 else (False, True):
            if is_flooded:  # no more of the burst that is free
                refused = 0
                while refused < 20:
                    refused = refused + 1 if knock() == 429 else 0
                statuses.clear()
            traffic = (
                _traffic(_FLOOD_PER_SECOND, knock) if is_flooded else nullcontext()
            )
            with traffic:
                pages = [visitors.get("/shop") for _n in range(size.pages)]
            times[is_flooded] = _median_ms(pages)
        figure.pairs.append((times[True], times[False]))
        if statuses[429] < statuses[204]:
            raise Problem(f"The flood is let through: {statuses}.")
    return [figure]


@contextmanager
def _traffic(per_second: int, ask: Callable[[], Any]) -> Iterator[list[int]]:
    """Have requests come in the background, at an even pace; count them."""
    over = threading.Event()
    count = [0]

    def come() -> None:
        due = time.monotonic()
        while not over.wait(max(0, due - time.monotonic())):
            ask()
            count[0] += 1
            due += 1 / per_second

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield count
    finally:
        over.set()
        thread.join()


def _beacon(number: int) -> dict[str, Any]:
    return {
        "event_name": "ViewContent",
        "event_id": f"beacon-{number}",
        "event_source_url": "/shop/walnut-desk-organiser-7",
        "custom_data": {
            "content_ids": [str(number)],
            "content_type": "product",
            "currency": "EUR",
            "value": 49.9,
        },
    }


def _empty(_number: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "params": {}}


_counter = itertools.count(1_000_000)
_counter_lock = threading.Lock()


def _numbers(count: int) -> int:
    """Return the first of some numbers that no event of this run has had."""
    with _counter_lock:
        first = next(_counter)
        for _n in range(count - 1):
            next(_counter)
    return first


Measurement = Callable[[Rig, Size], list[Figure]]
# What is run together, by the numbers of its rows.
MEASUREMENTS: dict[tuple[int, ...], Measurement] = {
    (1, 3): record_single,
    (2,): record_many,
    (4,): confirm,
    (5, 6): drain,
    (7,): two_workers,
    (8,): large_log,
    (10,): memory,
    (12,): disk,
    (9, 11): served,
}
