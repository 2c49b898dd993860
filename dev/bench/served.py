"""The rows that ask a real server: bursts, beacons, and a flood of them."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ..console import Problem
from ..odoo.server import Server
from . import data as bench_data
from .figures import Figure, Size, figure_of, median_ms, numbers
from .rig import PIXEL, Rig, Visitors, in_parallel

# Odoo's lightest public JSON route: it reads one field of the website.
_LIGHTEST_ROUTE = "/website/google_maps_api_key"
_BEACONS_PER_SECOND = 15
# One client may send one beacon a second.
_FLOOD_PER_SECOND = 20
_FLOODER = "198.19.0.1"
# Odoo opens no database for it: nothing that it answers costs less.
_STATIC_FILE = "/web/static/img/favicon.ico"

# A path, the content that makes a request another visitor's, and the answer's status.
Route = tuple[str, Callable[[int], Any], int]


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
    figure = figure_of("9", size)

    # One after the other: Odoo makes a user's settings at the first login.
    clients = [rig.log_in(server) for _thread in range(2)]

    def record() -> None:
        client = clients.pop()
        for _n in range(size.burst // 2):
            arguments = bench_data.purchase(numbers(1))
            client.call("meta.conversions.api", "send_event", **arguments)

    start = time.monotonic()
    in_parallel(2, record)
    figure.notes["seconds"] = time.monotonic() - start
    (jobs,) = rig.sql("SELECT count(*) FROM queue_job WHERE channel = 'root.meta_capi'")
    figure.pairs.append((float(jobs), size.burst))
    return [figure]


def _beacons(rig: Rig, server: Server, size: Size) -> list[Figure]:
    """Ask for the beacon's route and another one, and for a page under both."""
    rate = figure_of("11a", size)
    page = figure_of("11b", size, rate=_BEACONS_PER_SECOND)
    collect: Route = ("/meta_capi/collect", _beacon, 204)
    other: Route = (_LIGHTEST_ROUTE, _empty, 200)
    floor: Route = ("/meta_capi_bench/floor", _beacon, 204)
    asking: Route = ("/meta_capi_bench/asking", _beacon, 204)
    floors = []
    asked = []
    visitors = Visitors(server.url)
    for route in (collect, other, floor, asking):
        visitors.rate(*route, 4)
    visitors.get("/shop")
    sent = 4
    for _round in range(size.rounds):
        mine, others, least, kept = (
            visitors.rate(*route, size.requests)
            for route in (collect, other, floor, asking)
        )
        rate.pairs.append((mine, others))
        floors.append(least / others)
        asked.append(kept / others)
        sent += 2 * (size.requests // 2)
        with _traffic(_BEACONS_PER_SECOND, lambda: visitors.post(*collect)) as count:
            mine = statistics.median(visitors.get("/shop") for _n in range(5))
        sent += count[0]
        with _traffic(_BEACONS_PER_SECOND, lambda: visitors.post(*other)):
            others = statistics.median(visitors.get("/shop") for _n in range(5))
        page.pairs.append((1 / mine, 1 / others))
    (recorded,) = rig.sql(
        f"SELECT count(*) FROM meta_capi_event WHERE pixel_id = '{PIXEL}'"
        " AND event_name = 'ViewContent'"
    )
    if int(recorded) != sent:
        raise Problem(f"{sent} beacons were sent, {recorded} are recorded.")
    rate.notes["remark"] = (
        "the floor, a route that does by hand what cannot be left out (read the JSON,"
        " savepoint, INSERT, look for a waiting job, COMMIT) and asks nobody, is"
        f" {statistics.median(floors):.2f}×; with the promises that no browser writes an"
        " order's event and that what has left the log stays away, it is"
        f" {statistics.median(asked):.2f}×"
    )
    return [rate, page]


def _flood(server: Server, size: Size) -> list[Figure]:
    """Ask for a page alone, and while one client is refused again and again."""
    figure = figure_of("11c", size, rate=_FLOOD_PER_SECOND)
    visitors = Visitors(server.url)
    statuses: Counter[int] = Counter()

    send = visitors.repeat(_FLOODER, "/meta_capi/collect", _beacon(numbers(1)))

    def knock() -> int:
        status = send()
        statuses[status] += 1
        return status

    floors = []
    ask_for_file = visitors.repeat(_FLOODER, _STATIC_FILE, {})

    def page(ask: Callable[[], Any] | None = None) -> float:
        """Return the milliseconds of a page, while this is asked again and again."""
        with _traffic(_FLOOD_PER_SECOND, ask) if ask else nullcontext():
            return median_ms([visitors.get("/shop") for _n in range(size.pages)])

    def flooded() -> float:
        refused = 0
        while refused < 20:  # no more of the burst that is free
            refused = refused + 1 if knock() == 429 else 0
        statuses.clear()
        return page(knock)

    for _n in range(size.requests):  # each worker has its caches to fill
        visitors.get("/shop")
    for number in range(size.rounds):
        least = page(ask_for_file)
        # By turns in the other order, so that neither is always the second.
        if number % 2:
            mine = flooded()
            alone = page()
        else:
            alone = page()
            mine = flooded()
        figure.pairs.append((mine, alone))
        floors.append(least / alone)
        if statuses[429] < statuses[204]:
            raise Problem(f"The flood is let through: {statuses}.")
    figure.notes["remark"] = (
        "the floor, as many requests of a file, for which Odoo opens no database, is"
        f" {statistics.median(floors):.2f}×"
    )
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
