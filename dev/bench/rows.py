"""The rows of the benchmark: each is two things that are measured in turn, and a goal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from ..console import Problem, say, until
from .figures import Figure, Size, figure_of, median_ms, numbers
from .painting import paint
from .rig import PIXEL, PIXELS, Rig, Worker, sdk_python
from .served import served

# --------------------------------------------------------------------------- the rows


def record_single(rig: Rig, size: Size) -> list[Figure]:
    against_floor = figure_of("1", size)
    against_job = figure_of("3", size)
    mean: list[float] = []
    created: list[float] = []
    kept_once: list[float] = []
    with rig.worker() as worker:
        worker.call("record_single", first=numbers(20), count=5)
        for _round in range(size.rounds):
            found = worker.call(
                "record_single", first=numbers(size.calls), count=size.calls
            )
            ours, floor, once, job, row = map(median_ms, found.values())
            against_floor.pairs.append((ours, floor))
            against_job.pairs.append((ours, job))
            mean.append(1000 * statistics.mean(found["send_event"]))
            created.append(row)
            kept_once.append(once)
    against_floor.notes["remark"] = (
        "by hand is with nothing of Odoo but its cursor: normalise and hash, savepoint,"
        " INSERT, look for a waiting job, COMMIT. With an INSERT that passes over what is on"
        " record or has left the log, as ours does, it takes"
        f" {statistics.median(kept_once):.2f} ms. A bare create() of the same row takes"
        f" {statistics.median(created):.2f} ms. With its share of the jobs that it makes,"
        f" the mean of send_event is {statistics.median(mean):.2f} ms"
    )
    against_job.notes["remark"] = (
        f"what row 1 takes by hand is {against_floor.compared / against_job.compared:.2f}×"
        " of a row and its job"
    )
    return [against_floor, against_job]


def record_many(rig: Rig, size: Size) -> list[Figure]:
    figure = figure_of("2", size)
    others: list[tuple[float, float]] = []
    with rig.worker() as worker:
        for number in range(size.rounds + 1):
            found = worker.call(
                "record_many", first=numbers(size.batch), count=size.batch
            )
            if number or size.rounds == 1:  # the first one warms up
                mine, insert, by_hand, create = (
                    1000 * seconds / size.batch for seconds in found.values()
                )
                figure.pairs.append((mine, insert))
                others.append((by_hand, create))
    by_hand, create = map(statistics.median, zip(*others, strict=True))
    figure.notes["remark"] = (
        "what cannot be left out besides, to normalise and to hash, is no part of what"
        f" it is compared with: by hand, with that, it is {by_hand:.2f} ms, of which"
        f" send_events takes {figure.measured / by_hand:.2f}×. A batch create() of the"
        f" same rows takes {create:.2f} ms each"
    )
    return [figure]


def confirm(rig: Rig, size: Size) -> list[Figure]:
    """Confirm orders, with our automation and another, with Meta well and ill."""
    armed = figure_of("4a", size)
    hanging = figure_of("4b", size)
    ours, empty, by_hand = (
        "automation_purchase",
        "bench_automation_nothing",
        "bench_automation_by_hand",
    )
    floor: list[float] = []
    with rig.worker() as worker, rig.worker() as deliverer:
        # The second goal is narrower than what one round differs from the next.
        hanging_rounds = 3 * size.rounds
        count = 3 + 3 * size.orders * size.rounds
        count += (2 * size.orders + 1) * hanging_rounds
        orders = iter(worker.call("make_orders", first=numbers(count), count=count))

        def confirm(automation: str = ours) -> float:
            seconds: float = worker.call(
                "confirm", order_id=next(orders), automation=automation
            )
            return seconds

        automations = ours, empty, by_hand
        for automation in automations:
            confirm(automation)
        for _round in range(size.rounds):
            seconds = [
                [confirm(automation) for automation in automations]
                for _n in range(size.orders)
            ]
            mine, other, least = (
                median_ms(list(each)) for each in zip(*seconds, strict=True)
            )
            armed.pairs.append((mine, other))
            floor.append(least / other)
        hanging.pairs = _by_turns(rig, deliverer, hanging_rounds, size.orders, confirm)
    armed.notes["remark"] = (
        "the floor, an automation whose code does by hand what cannot be left out"
        " (savepoint, INSERT of a row that is ready, look for a waiting job, and that the"
        f" order remembers), is {statistics.median(floor):.2f}×"
    )
    return [armed, hanging]


def sell(rig: Rig, size: Size) -> list[Figure]:
    """Sell at the counter, with and without telling Meta, with Meta well and ill."""
    with_it = Figure("13a", "a sale at the counter", "Meta is not told", "ms", 1.05)
    hanging = Figure(
        "13b", "a sale at the counter, Meta hangs", "Meta is well", "ms", 1.05
    )
    # The goals are narrower than what one round differs from the next.
    rounds = 3 * size.rounds
    with rig.worker() as worker, rig.worker() as deliverer:
        point_id = worker.call("open_counter")

        def sell(is_on: bool = True) -> float:
            seconds: float = worker.call(
                "sell", point_id=point_id, number=numbers(1), is_on=is_on
            )
            return seconds

        for is_on in (True, False):
            sell(is_on)
        for _round in range(rounds):
            seconds = [(sell(True), sell(False)) for _n in range(size.orders)]
            mine, other = map(list, zip(*seconds, strict=True))
            with_it.pairs.append((median_ms(mine), median_ms(other)))
        hanging.pairs = _by_turns(rig, deliverer, rounds, size.orders, sell)
    return [with_it, hanging]


def _by_turns(
    rig: Rig, deliverer: Worker, rounds: int, count: int, measure: Callable[[], float]
) -> list[tuple[float, float]]:
    """Return pairs of milliseconds: while a request hangs, and while all is well."""

    def measure_many() -> float:
        return median_ms([measure() for _n in range(count)])

    pairs = []
    flag = rig.folder / "delivering"
    for number in range(rounds):
        flag.touch()
        deliverer.start("deliver_while", pixel_id=PIXEL, flag=str(flag))
        # By turns in the other order, so that neither is always the second.
        if number % 2:
            ill = _while_it_hangs(rig, measure, measure_many)
            well = measure_many()
        else:
            well = measure_many()
            ill = _while_it_hangs(rig, measure, measure_many)
        flag.unlink()
        deliverer.result()
        pairs.append((ill, well))
    return pairs


def _while_it_hangs(
    rig: Rig, begin: Callable[[], Any], measured: Callable[[], float]
) -> float:
    """Measure while a request hangs, which what ``begin`` records sets off."""
    rig.sink.order("hang")
    begin()
    until(lambda: rig.sink.order("look"), "No request hangs.", 30, poll=0.01)
    milliseconds = measured()
    until(lambda: rig.sink.order("look"), "It hangs no more.", 0)
    rig.sink.order("heal")
    return milliseconds


def drain(rig: Rig, size: Size) -> list[Figure]:
    """Deliver the same events by the addon, by hand, and by Meta's own library."""
    by_hand = figure_of("5", size)
    by_sdk = figure_of("6", size)
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
    figure = figure_of("7", size)
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
        (order_id,) = worker.call("make_orders", first=numbers(1), count=1)
        for schema, count in zip(
            ("bench_small", "bench_large"),
            (size.small_log, size.large_log),
            strict=True,
        ):
            worker.call(
                "make_log",
                schema=schema,
                size=count,
                recent=size.small_log,
                pending=2 * size.small_log,
                pixel_id=PIXEL,
                order_id=order_id,
            )
        calls = max(size.calls // 10, 1)
        for letter, step in zip("abcdefghjk", worker.call("steps"), strict=True):
            figure = figure_of(f"8{letter}", size, step=step)
            common = {"step": step, "pixel_id": PIXEL, "order_id": order_id}

            def use(schema: str, common: dict[str, Any] = common) -> float:
                seconds: float = worker.call(
                    "use_log", schema=schema, number=numbers(1), **common
                )
                return seconds

            for schema in ("bench_small", "bench_large"):
                use(schema)
            for _round in range(size.rounds):
                seconds = [
                    (use("bench_large"), use("bench_small")) for _n in range(calls)
                ]
                large, small = map(list, zip(*seconds, strict=True))
                figure.pairs.append((median_ms(large), median_ms(small)))
            figure.notes["plans"] = _plans(worker, common)
            figures.append(figure)
            if letter == "d":  # the same by its ratio
                figures.append(figure_of("8i", size, step=step))
                figures[-1].pairs = figure.pairs
    return figures


def _plans(worker: Worker, common: dict[str, Any]) -> list[tuple[float, str]]:
    try:
        plans: list[tuple[float, str]] = worker.call(
            "explain_log", schema="bench_large", number=numbers(1), **common
        )
    except Problem as problem:
        say(f"    no plans: {str(problem).splitlines()[-1]}")
        return []
    return plans


def memory(rig: Rig, size: Size) -> list[Figure]:
    at_once = figure_of("10", size)
    for_long = figure_of("10b", size)
    for figure, count in ((at_once, size.in_memory), (for_long, size.delivered)):
        with rig.worker() as worker:
            worker.call("fill", count=count, pixel_ids=[PIXEL])
            worker.call("refill")
        with rig.worker() as worker:
            if figure is at_once:
                found = worker.call("drain_in_memory", pixel_ids=[PIXEL])
                figure.pairs.append(
                    (found["peak"] - found["at_rest"], found["at_rest"])
                )
            else:
                found = worker.call(
                    "drain_for_long", pixel_id=PIXEL, first=count // 100
                )
                figure.pairs.append((found["late"] - found["early"], found["early"]))
    return [at_once, for_long]


def retention(rig: Rig, size: Size) -> list[Figure]:
    """Clean up what is old, and record meanwhile: a part of the log in each round."""
    figures = [figure_of(f"15{letter}", size) for letter in "abcd"]
    flag = rig.folder / "cleaning"
    with rig.worker() as cleaner, rig.worker() as recorder:
        cleaner.call(
            "make_old_log", count=size.old_log, parts=size.rounds, pixel_id=PIXEL
        )
        for (longest, meanwhile), kind in (
            (figures[2:], "personal data"),
            (figures[:2], "events"),
        ):
            transactions: list[float] = []

            def record_alone() -> float:
                return median_ms(
                    recorder.call(
                        "record_beside",
                        first=numbers(4 * size.calls),
                        at_least=4 * size.calls,
                    )
                )

            def record_meanwhile(
                kind: str = kind, transactions: list[float] = transactions
            ) -> float:
                flag.touch()
                recorder.start(
                    "record_beside", first=numbers(100_000), at_least=1, flag=str(flag)
                )
                transactions += cleaner.call("clean_up", kind=kind)
                flag.unlink()
                return median_ms(recorder.result())

            for number in range(size.rounds):
                cleaner.call("let_grow_old", kind=kind, part=number, parts=size.rounds)
                recorder.call("record_beside", first=numbers(5), at_least=5)
                # By turns in the other order, so that neither is always the second.
                if number % 2:
                    busy, alone = record_meanwhile(), record_alone()
                else:
                    alone, busy = record_alone(), record_meanwhile()
                meanwhile.pairs.append((busy, alone))
            longest.pairs.append((max(transactions), statistics.median(transactions)))
            longest.notes["remark"] = (
                f"{len(transactions)} transactions, half of them below"
                f" {statistics.median(transactions):.2f} s, {sum(transactions):.0f} s in"
                " all"
            )
        cleaner.call("check_clean", remembered=size.old_log // 4)
    return figures


# The addon has PostgreSQL clean up the log once a fiftieth of it has changed.
_PARTS = 50


def disk(rig: Rig, size: Size) -> list[Figure]:
    figure = figure_of("12", size)
    with rig.worker() as worker:
        worker.call("fill", count=size.pending, pixel_ids=[PIXEL])
        worker.call("empty")
        for part in range(_PARTS):
            worker.call("add", part=part, parts=_PARTS)
            worker.call("drain", pixel_ids=[PIXEL])
        found = worker.call("disk")
    figure.pairs.append((found["on_disk"] / found["events"], found["body"]))
    figure.notes["remark"] = (
        f"of a log that has grown {_PARTS} times by as much, and that PostgreSQL has"
        f" cleaned up after each time; the events' own rows are {found['heap']:,.0f} bytes"
        f" each, their indexes {found['indexes']:,.0f}, the requests {found['rest']:,.0f}"
    )
    return [figure]


def update(rig: Rig, size: Size) -> list[Figure]:
    """Update the addon with a full log, while events are recorded and orders confirmed."""
    same, rewritten, earlier = (figure_of(f"14{letter}", size) for letter in "abc")
    with ExitStack() as stack:
        worker, *others = (stack.enter_context(rig.worker()) for _n in range(4))
        worker.call("fill_log", count=size.large_log, pixel_id=PIXEL)
        for _round in range(size.updates):
            for figure in (same, earlier):
                if figure is earlier:
                    worker.call("make_earlier")
                before = worker.call("files")
                _update_once(rig, figure, worker, others)
                after = worker.call("files")
                changed = [
                    n for n, file in before.items() if file not in (None, after[n])
                ]
                rewritten.pairs.append((float(len(changed)), 1))
        again = worker.call("reload")
    for figure in (same, earlier):
        notes = figure.notes
        held = [s for locks in notes.pop("locks") for s in locks.values()]
        waited, took = max(notes.pop("record")), max(notes.pop("confirm"))
        notes["remark"] = (
            f"in all rounds {notes.pop('events'):,} events were recorded one by one, of"
            f" which one waited for {waited:.2f} s, and {notes.pop('orders'):,} orders"
            f" confirmed, of which one took {took:.2f} s; {notes.pop('again')} of these"
            f" were begun anew; no lock against writing to a table was seen for longer"
            f" than {max(held, default=0):.2f} s; an update took"
            f" {statistics.median(notes.pop('seconds')):.0f} s, and each worker loads its"
            f" models once more after it, as after any update by Odoo, {again:.1f} s"
        )
    return [same, rewritten, earlier]


def _update_once(
    rig: Rig, figure: Figure, worker: Worker, others: Sequence[Worker]
) -> None:
    """Run an update, and add to the figure what those who recorded meanwhile waited."""
    orders = worker.call("make_orders", first=numbers(100), count=100)
    flag = rig.folder / "updating"
    flag.touch()
    recorder, confirmer, watcher = others
    recorder.start("record_while", flag=str(flag), first=numbers(100_000))
    confirmer.start("confirm_while", flag=str(flag), order_ids=orders)
    watcher.start("watch_locks", flag=str(flag))
    try:
        seconds = rig.update()
    finally:
        flag.unlink()
    events, confirmed = recorder.result(), confirmer.result()
    waits = [max(wait for wait, _again in done) for done in (events, confirmed)]
    figure.pairs.append((max(waits), 1))
    notes = figure.notes
    for name, count in (
        ("events", len(events)),
        ("orders", len(confirmed)),
        ("again", sum(again for _wait, again in (*events, *confirmed))),
    ):
        notes[name] = notes.get(name, 0) + count
    for name, found in (
        *zip(("record", "confirm"), waits, strict=True),
        ("seconds", seconds),
        ("locks", watcher.result()),
    ):
        notes.setdefault(name, []).append(found)


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
    (14,): update,
    (15,): retention,
    (9, 11): served,
    (16,): paint,
}
# What needs a database with more apps.
MEASUREMENTS_OF_APPS: dict[tuple[int, ...], Measurement] = {(13,): sell}
