from __future__ import annotations

import doctest
import itertools
import re
from dataclasses import asdict, replace
from pathlib import Path

from ..capi import decision as decision_module
from ..capi.answer import Answer
from ..capi.decision import LAST_TRY, MAX_DEFAULT_WAIT, Decision, decide
from ..capi.graph_errors import Outcome
from ..capi.planning import FAILING_LONG, early, overdue, plan
from ..capi.schedule import MAX_UNKNOWN_ATTEMPTS, PROBE_INTERVAL
from ..capi.states import (
    ACCEPTED_LATELY,
    EXHAUSTED,
    FAILED,
    INVALID,
    PENDING,
    SENT,
    Change,
    Claimed,
    Doubt,
    History,
    Order,
    Pixel,
    Plan,
    Wake,
    is_woken,
)

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

NOW = 1_800_000_000
DAY = 24 * 3600
OLDEST = Order.OLDEST
DOCUMENT = Path(__file__).parent.parent / "docs" / "delivery.md"

# What is known of a pixel when the answer comes.
HISTORIES = {
    "running": Pixel(),
    "failing": Pixel(failing_since=NOW - 5, cause="meta_down"),
    "in doubt": Pixel(doubt=Doubt(99, 100)),
    "stopped": Pixel(stopped_at=NOW - 50, next_probe_at=NOW + 9, cause="token"),
}
CAUSES = {
    Outcome.ACCEPTED: None,
    Outcome.TRANSIENT: "meta_down",
    Outcome.UNKNOWN: "unknown",
    Outcome.THROTTLED: "rate_limit",
    Outcome.STOPPED: "token",
    Outcome.REFUSED: "value",
    Outcome.AMBIGUOUS: "no_reason",
    Outcome.EARLY: "clock",
}
CODES = {Outcome.AMBIGUOUS: 100}

# Every cell: what one event alone, and what many meet, by what is known of the pixel.
# An event "waits" (its try counts), is "held" or "due" (it does not), or ends; many are
# also "split". Then what the pixel is after it.
TABLE = {
    Outcome.ACCEPTED: {
        "running": ("sent", "sent", "running"),
        "failing": ("sent", "sent", "running, wakes the others"),
        "in doubt": ("sent", "sent", "running, wakes the others"),
        "stopped": ("sent", "sent", "running, wakes the others"),
    },
    Outcome.TRANSIENT: {
        "running": ("waits", "waits", "failing"),
        "failing": ("waits", "waits", "failing"),
        "in doubt": ("waits", "waits", "failing, in doubt"),
        "stopped": ("held", "held", "stopped"),
    },
    Outcome.UNKNOWN: {
        "running": ("waits", "split", "in doubt / running"),
        "failing": ("waits", "split", "failing"),
        "in doubt": ("waits", "split", "in doubt"),
        "stopped": ("held", "held", "stopped"),
    },
    Outcome.THROTTLED: {
        "running": ("held", "held", "paused"),
        "failing": ("held", "held", "paused"),
        "in doubt": ("held", "held", "paused, in doubt"),
        "stopped": ("held", "held", "paused, stopped"),
    },
    Outcome.STOPPED: {
        "running": ("due", "due", "stopped"),
        "failing": ("due", "due", "stopped"),
        "in doubt": ("due", "due", "stopped"),
        "stopped": ("due", "due", "stopped"),
    },
    Outcome.REFUSED: {
        "running": ("invalid", "split", "running"),
        "failing": ("invalid", "split", "failing"),
        "in doubt": ("invalid", "split", "in doubt"),
        "stopped": ("invalid", "split", "running, wakes the others"),
    },
    Outcome.AMBIGUOUS: {
        "running": ("waits", "split", "in doubt / running"),
        "failing": ("waits", "split", "failing, in doubt / failing"),
        "in doubt": ("due", "split", "stopped / in doubt"),
        "stopped": ("held", "held", "stopped"),
    },
    Outcome.EARLY: {
        "running": ("waits", "split", "running"),
        "failing": ("waits", "split", "failing"),
        "in doubt": ("waits", "split", "in doubt"),
        "stopped": ("held", "held", "stopped"),
    },
}


def claimed(id_=1, **values):
    return Claimed(id_, NOW - 3600, "website", **values)


def answer(outcome, **values):
    return Answer(outcome, CAUSES[outcome], error_code=CODES.get(outcome), **values)


def ask(outcome, events=1, pixel=None, **values):
    """Return what an answer leads to for one event, or many."""
    if isinstance(events, int):
        events = [claimed(number) for number in range(1, events + 1)]
    values = {"attempt_id": 7, "now": NOW, "random": lambda: 0.5, **values}
    return decide(answer(outcome), events, pixel or Pixel(), **values)


def in_words(decision: Decision) -> str:
    """Return what becomes of the events, in the words of the table."""
    (words,) = {_change_in_words(change) for change in decision.changes}
    return "split" if decision.is_split else words


def _change_in_words(change):
    if change.state == SENT:
        return "sent"
    if change.state == FAILED:
        return change.failure_reason
    if change.next_attempt_at <= NOW:
        return "due"
    return "waits" if change.counts and change.isolation_part != 0 else "held"


def pixel_in_words(decision: Decision) -> str:
    pixel = decision.pixel
    is_paused = pixel.wait_until is not None and pixel.wait_until > NOW
    words = [
        *(["paused"] if is_paused else []),
        *(["stopped"] if pixel.is_stopped else []),
        *(["failing"] if pixel.is_failing and not is_paused else []),
        *(["in doubt"] if pixel.doubt else []),
    ]
    if decision.wake:
        words.append("wakes the others")
    if not {"paused", "stopped", "failing", "in doubt"} & set(words):
        words.insert(0, "running")
    return ", ".join(words)


class TestTable(BaseCase):
    def test_every_answer_has_its_verdict_for_one_and_for_many(self):
        self.assertEqual(TABLE.keys(), set(Outcome))
        for outcome, rows in TABLE.items():
            self.assertEqual(rows.keys(), HISTORIES.keys())
            for history, (alone, many, after) in rows.items():
                one = ask(outcome, 1, HISTORIES[history])
                several = ask(outcome, 5, HISTORIES[history])
                found = pixel_in_words(one), pixel_in_words(several)
                with self.subTest(outcome=outcome, history=history):
                    self.assertEqual(in_words(one), alone)
                    self.assertEqual(in_words(several), many)
                    self.assertEqual(" / ".join(dict.fromkeys(found)), after)

    def test_the_document_has_the_same_table(self):
        text = DOCUMENT.read_text(encoding="utf-8")
        found = re.findall(
            r"^\| `(\w+)` \| ([\w ]+) \| (.*) \| (.*) \| (.*) \|$", text, re.M
        )
        expected = [
            (outcome.value, history, *cells)
            for outcome, rows in TABLE.items()
            for history, cells in rows.items()
        ]
        self.assertEqual(found, expected)

    def test_many_never_end_otherwise_than_as_sent(self):
        for outcome, history in itertools.product(Outcome, HISTORIES.values()):
            for change in ask(outcome, 5, history).changes:
                with self.subTest(outcome=outcome):
                    self.assertIn(change.state, (SENT, PENDING))

    def test_every_event_of_a_request_has_exactly_one_change(self):
        for outcome, history in itertools.product(Outcome, HISTORIES.values()):
            for count in (1, 2, 5):
                changes = ask(outcome, count, history).changes
                ids = [id_ for change in changes for id_ in change.ids]
                with self.subTest(outcome=outcome, count=count):
                    self.assertEqual(sorted(ids), list(range(1, count + 1)))

    def test_what_is_said_of_a_batch_that_is_split_counts_for_nobody(self):
        for outcome in (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.AMBIGUOUS):
            with self.subTest(outcome=outcome):
                decision = ask(outcome, 4)
                self.assertFalse(any(change.counts for change in decision.changes))
                parts = {c.isolation_part: c.ids for c in decision.changes}
                self.assertEqual(parts, {1: (1, 2), 3: (3, 4)})

    def test_the_examples_in_docstrings_hold(self):
        self.assertEqual(doctest.testmod(decision_module).failed, 0)


class TestExactly(BaseCase):
    """Nothing that is known of an event or a pixel gets lost, and nothing is made up."""

    # All that can be known of a pixel that is not stopped, and of one that is.
    TROUBLED = Pixel(
        wait_until=NOW - 1,
        failing_since=NOW - 50,
        doubt=Doubt(99, 100, 5),
        cause="meta_down",
        clock_skew=26,
    )
    STOPPED = Pixel(
        stopped_at=NOW - 7000,
        next_probe_at=NOW - 1,
        wait_until=NOW - 1,
        failing_since=NOW - 50,
        cause="token",
        clock_skew=26,
    )
    # All that can be known of an event: after its third failure it waits 5 minutes.
    EVENT = claimed(
        attempt_count=2, unknown_count=1, isolation_part=9, first_refusal_id=4
    )
    KEPT = {"isolation_part": 9, "first_refusal_id": 4}

    def check(self, outcome, pixel, changes, after, wake=None, **expected):
        """Compare all of a decision; ``is_more`` and the like are False if not given."""
        given = expected.pop("given", {})
        batch = expected.pop("batch", [self.EVENT])
        told = replace(answer(outcome), **given)
        history = expected.pop("history", None)
        found = decide(
            told,
            batch,
            pixel,
            attempt_id=7,
            now=NOW,
            history=history,
            random=lambda: 0.5,
        )
        self.assertEqual(found, Decision(tuple(changes), after, wake, **expected))

    def test_what_is_not_told_is_nothing(self):
        for value, expected in (
            (Claimed(1, 2, "x"), [1, 2, "x", 0, 0, None, None, None, None, b""]),
            (Doubt(1), [1, None, None]),
            (Pixel(), [None, None, None, None, None, None, 0]),
            (Plan(1), [1, Order.OLDEST, False]),
            (Change((1,)), [(1,), PENDING, *[None] * 5, False, False]),
            (Wake(), [False, None]),
            (Decision((), Pixel()), [(), asdict(Pixel()), None, False, False]),
            (History(), [None, 0, None]),
        ):
            with self.subTest(value=value):
                self.assertEqual(list(asdict(value).values()), expected)

    def test_the_numbers(self):
        self.assertEqual(
            (FAILING_LONG, ACCEPTED_LATELY, MAX_DEFAULT_WAIT, LAST_TRY),
            (60, 20, 3600, 120),
        )

    def test_accepted(self):
        sent = [Change((1, 2), SENT, counts=True)]
        batch = [self.EVENT, claimed(2)]
        rest = Pixel(wait_until=NOW - 1, clock_skew=26)
        for pixel, given, after, wake in (
            (self.TROUBLED, {}, rest, Wake(False, NOW - 50)),
            (self.STOPPED, {}, rest, Wake(True, NOW - 50)),
            (Pixel(doubt=Doubt(99)), {}, Pixel(), Wake()),
            (Pixel(failing_since=0), {}, Pixel(), Wake(False, 0)),
            (Pixel(), {}, Pixel(), None),
            (rest, {"server_time": NOW - 10}, replace(rest, clock_skew=9), None),
            (rest, {"server_time": NOW + 10}, replace(rest, clock_skew=0), None),
            # It is not looked for where it made no difference.
            (Pixel(), {"server_time": NOW - 10}, Pixel(), None),
            (rest, {"slow_down": 3.2}, replace(rest, wait_until=NOW + 4), None),
        ):
            with self.subTest(pixel=pixel, given=given):
                self.check(
                    *(Outcome.ACCEPTED, pixel, sent, after, wake),
                    **{"given": given, "batch": batch, "more": wake is not None},
                )

    def test_stopped(self):
        held = [Change((1,), cause="token", next_attempt_at=NOW, **self.KEPT)]
        for pixel, stopped_at in (
            (self.TROUBLED, NOW),
            (self.STOPPED, NOW - 7000),
            (replace(self.STOPPED, stopped_at=0), 0),
        ):
            after = Pixel(
                stopped_at=stopped_at,
                next_probe_at=NOW + 3600,
                wait_until=NOW - 1,
                cause="token",
                clock_skew=26,
            )
            with self.subTest(pixel=pixel):
                self.check(Outcome.STOPPED, pixel, held, after)

    def test_nothing_that_is_said_while_it_is_stopped_counts(self):
        for outcome in (
            *(Outcome.TRANSIENT, Outcome.UNKNOWN, Outcome.AMBIGUOUS, Outcome.EARLY),
        ):
            change = Change(
                (1,), cause=CAUSES[outcome], next_attempt_at=NOW + 3600, **self.KEPT
            )
            with self.subTest(outcome=outcome):
                self.check(outcome, self.STOPPED, [change], self.STOPPED)

    def test_throttled(self):
        for pixel, given, seconds, since, cause in (
            (Pixel(), {}, 5, NOW, "rate_limit"),
            (Pixel(failing_since=0), {}, 3600, 0, "rate_limit"),
            (self.TROUBLED, {}, 50, NOW - 50, "rate_limit"),
            (
                replace(self.TROUBLED, failing_since=NOW - 2),
                {},
                5,
                NOW - 2,
                "rate_limit",
            ),
            (self.TROUBLED, {"retry_after": 3.2}, 4, NOW - 50, "rate_limit"),
            (self.STOPPED, {"retry_after": 7.0}, 7, NOW - 50, "token"),
        ):
            until = NOW + seconds
            held = [
                Change((1,), cause="rate_limit", next_attempt_at=until, **self.KEPT)
            ]
            after = replace(pixel, wait_until=until, failing_since=since, cause=cause)
            with self.subTest(pixel=pixel, given=given):
                self.check(Outcome.THROTTLED, pixel, held, after, given=given)

    def test_refused_alone(self):
        end = [Change((1,), FAILED, INVALID, cause="value", counts=True)]
        self.check(Outcome.REFUSED, self.TROUBLED, end, self.TROUBLED, more=True)
        self.check(
            *(Outcome.REFUSED, self.STOPPED, end, Pixel(clock_skew=26), Wake(True)),
            more=True,
        )

    def halves(self, outcome, first_refusal_id=None):
        """Return a batch of three and what splitting it leads to."""
        batch = [self.EVENT, replace(claimed(2), isolation_part=9), claimed(3)]
        due = {"cause": CAUSES[outcome], "next_attempt_at": NOW}
        changes = [
            Change((1,), isolation_part=1, first_refusal_id=4, **due),
            Change((2,), isolation_part=1, first_refusal_id=first_refusal_id, **due),
            Change((3,), isolation_part=3, first_refusal_id=first_refusal_id, **due),
        ]
        return batch, changes

    def test_split(self):
        for outcome, first_refusal_id in (
            (Outcome.REFUSED, None),
            (Outcome.UNKNOWN, None),
            (Outcome.AMBIGUOUS, 7),
            (Outcome.TRANSIENT, None),
        ):
            pixel = Pixel(doubt=Doubt(99, 100, 5), clock_skew=26)
            after = pixel
            if outcome is Outcome.TRANSIENT:
                after = replace(pixel, failing_since=NOW, cause="meta_down")
            batch, changes = self.halves(outcome, first_refusal_id)
            flags = {"more": True, "is_split": True}
            with self.subTest(outcome=outcome):
                self.check(outcome, pixel, changes, after, batch=batch, **flags)
        batch, changes = self.halves(Outcome.REFUSED)
        self.check(
            *(Outcome.REFUSED, self.STOPPED, changes, Pixel(clock_skew=26), Wake(True)),
            **{"batch": batch, **flags},
        )

    def waits(self, outcome, seconds=300, **values):
        """Return the change of the event alone that waits for its next try."""
        return [
            Change(
                (1,),
                cause=CAUSES[outcome],
                next_attempt_at=NOW + seconds,
                counts=True,
                **{**self.KEPT, "isolation_part": 1, **values},
            )
        ]

    def test_early(self):
        skewed = replace(self.TROUBLED, clock_skew=0)
        # Nobody's time is to come: it is for Meta's clock alone to say.
        waits = self.waits(Outcome.EARLY)
        self.check(Outcome.EARLY, self.TROUBLED, waits, self.TROUBLED, more=True)
        coming = replace(self.EVENT, event_time=NOW)
        self.check(Outcome.EARLY, skewed, waits, skewed, batch=[coming], more=True)
        for server_time, skew in ((NOW - 25, 26), (NOW + 9, 1)):
            until = NOW + skew
            due = [Change((1,), cause="clock", next_attempt_at=until, **self.KEPT)]
            self.check(
                *(Outcome.EARLY, skewed, due, replace(skewed, clock_skew=skew)),
                **{"batch": [coming], "given": {"server_time": server_time}},
            )

    def test_ambiguous_alone(self):
        refused = History(accepted_id=5, accepted_at=NOW - 20, refused_alone_id=4)
        outcome, pixel = Outcome.AMBIGUOUS, replace(self.TROUBLED, doubt=Doubt(99, 100))
        end = [Change((1,), FAILED, INVALID, cause="no_reason", counts=True)]
        self.check(outcome, pixel, end, pixel, history=refused, more=True)
        neighbour = replace(refused, refused_alone_id=None)
        waits = self.waits(outcome)
        self.check(outcome, pixel, waits, pixel, history=neighbour, more=True)
        stopped = Pixel(
            stopped_at=NOW,
            next_probe_at=NOW + 3600,
            wait_until=NOW - 1,
            cause="no_reason",
            clock_skew=26,
        )
        due = [replace(waits[0], next_attempt_at=NOW, isolation_part=9)]
        self.check(outcome, pixel, due, stopped)
        other = replace(pixel, doubt=Doubt(99, 100, 5))
        after = replace(pixel, doubt=Doubt(1, 100))
        self.check(outcome, other, waits, after, more=True)
        fresh = claimed()
        first = [
            Change(
                (1,),
                cause="no_reason",
                next_attempt_at=NOW + 5,
                isolation_part=1,
                first_refusal_id=7,
                counts=True,
            )
        ]
        self.check(outcome, other, first, after, batch=[fresh], more=True)
        due = [replace(first[0], next_attempt_at=NOW, isolation_part=None)]
        self.check(outcome, pixel, due, stopped, batch=[fresh])

    def test_a_subcode_of_0_is_none(self):
        for mine, other in ((None, 0), (0, None), (0, 0)):
            told = replace(
                answer(Outcome.AMBIGUOUS), error_code=100, error_subcode=mine
            )
            pixel = Pixel(doubt=Doubt(99, 100, other))
            decision = decide(told, [self.EVENT], pixel, attempt_id=7, now=NOW)
            self.assertTrue(decision.pixel.is_stopped)

    def test_another_subcode_is_another_answer(self):
        for mine, other in ((5, None), (None, 5), (5, 0), (5, 6)):
            told = replace(answer(Outcome.UNKNOWN), error_code=9, error_subcode=mine)
            pixel = Pixel(doubt=Doubt(99, 9, other))
            decision = decide(told, [self.EVENT], pixel, attempt_id=7, now=NOW)
            self.assertEqual(decision.pixel.doubt, Doubt(1, 9, mine))

    def test_unknown_alone(self):
        outcome = Outcome.UNKNOWN
        last = replace(self.EVENT, unknown_count=9)
        end = [
            Change((1,), FAILED, EXHAUSTED, "exhausted", counts=True, is_unknown=True)
        ]
        self.check(outcome, self.TROUBLED, end, self.TROUBLED, batch=[last], more=True)
        failing = replace(self.TROUBLED, doubt=None, cause="unknown")
        waits = self.waits(outcome, isolation_part=9, is_unknown=True)
        self.check(outcome, self.TROUBLED, waits, failing)
        alike = Pixel(doubt=Doubt(99), wait_until=NOW - 1, clock_skew=26)
        after = replace(failing, failing_since=NOW)
        self.check(outcome, alike, waits, after)
        waits = self.waits(outcome, is_unknown=True)
        other = replace(alike, doubt=Doubt(99, 100))
        after = replace(alike, doubt=Doubt(1))
        self.check(outcome, other, waits, after, more=True)

    def test_unknown_to_many_while_the_same_goes_on(self):
        batch = [claimed(1, attempt_count=2), claimed(2, attempt_count=2)]
        change = Change((1, 2), cause="unknown", next_attempt_at=NOW + 300, counts=True)
        failing = replace(self.TROUBLED, cause="unknown")
        self.check(Outcome.UNKNOWN, failing, [change], failing, batch=batch)

    def test_transient_alone(self):
        outcome = Outcome.TRANSIENT
        running = Pixel(wait_until=NOW - 1, doubt=Doubt(99, 100, 5), clock_skew=26)
        fresh = replace(self.EVENT, attempt_count=0)
        failing = replace(running, failing_since=NOW, cause="meta_down")
        waits = self.waits(outcome, seconds=5, isolation_part=9)
        # One other request tells whose trouble it is.
        self.check(outcome, running, waits, failing, batch=[fresh], more=True)
        waits = self.waits(outcome, isolation_part=9)
        self.check(outcome, self.TROUBLED, waits, self.TROUBLED)
        # The pixel takes others.
        self.check(outcome, running, self.waits(outcome), running, more=True)

    def test_transient_to_many(self):
        outcome = Outcome.TRANSIENT
        batch = [claimed(1), claimed(2, attempt_count=2)]
        wait = {"cause": "meta_down", "counts": True}
        changes = [
            Change((1,), next_attempt_at=NOW + 5, **wait),
            Change((2,), next_attempt_at=NOW + 300, **wait),
        ]
        self.check(outcome, self.TROUBLED, changes, self.TROUBLED, batch=batch)
        fresh = [claimed(1), claimed(2)]
        change = Change((1, 2), next_attempt_at=NOW + 5, **wait)
        failing = Pixel(failing_since=NOW, cause="meta_down")
        self.check(outcome, Pixel(), [change], failing, batch=fresh, more=True)

    def test_a_part_waits_at_least_as_long_as_the_trouble_lasts(self):
        # How often they were tried before does not count.
        part = [self.EVENT, claimed(2, **self.KEPT)]
        for fails_for, seconds in ((50, 50), (2, 5)):
            pixel = replace(self.TROUBLED, failing_since=NOW - fails_for)
            change = Change(
                (1, 2), cause="meta_down", next_attempt_at=NOW + seconds, **self.KEPT
            )
            self.check(Outcome.TRANSIENT, pixel, [change], pixel, batch=part, more=True)
        fresh = [replace(event, attempt_count=0) for event in part]
        failing = Pixel(failing_since=NOW, cause="meta_down")
        change = replace(change, next_attempt_at=NOW + 5)
        self.check(
            Outcome.TRANSIENT, Pixel(), [change], failing, batch=fresh, more=True
        )

    def test_what_waits_is_tried_once_more_before_it_is_too_late(self):
        window = 7 * DAY - 15 * 60
        for left, event, given, seconds in (
            # The window of the event itself,
            (400, {"attempt_count": 5}, {}, 400 - 120),
            (121, {"attempt_count": 5}, {}, 1),
            # or too late for that,
            (120, {"attempt_count": 0}, {}, 5),
            # or of its first copy, which may be this one.
            (None, {"first_copy_at": NOW - 2 * DAY + 900 + 400}, {}, 280),
            (None, {"first_copy_at": NOW - 2 * DAY + 1300}, {"arrived": True}, 280),
            (None, {"attempt_count": 99}, {"arrived": True}, 36000),
            (
                None,
                {},
                {"arrived": True, "retry_after": 3.0 * DAY},
                2 * DAY - 900 - 120,
            ),
            (None, {}, {"retry_after": 3.0 * DAY}, 3 * DAY),
        ):
            time = NOW - 3600 if left is None else NOW - window + left
            batch = [Claimed(1, time, "website", **{"attempt_count": 4, **event})]
            told = replace(answer(Outcome.TRANSIENT), **given)
            (change,) = decide(
                told,
                batch,
                self.TROUBLED,
                attempt_id=7,
                now=NOW,
                random=lambda: 0.5,
            ).changes
            with self.subTest(left=left, event=event, given=given):
                self.assertEqual(change.next_attempt_at - NOW, seconds)


class TestTransient(BaseCase):
    def test_the_first_retry_comes_within_10_s_and_the_second_within_a_minute(self):
        for chance in (0.0, 0.5, 1.0):
            event = claimed()
            for limit in (10, 60):
                decision = ask(
                    Outcome.TRANSIENT,
                    [event],
                    HISTORIES["failing"],
                    random=lambda: chance,
                )
                (change,) = decision.changes
                self.assertLessEqual(change.next_attempt_at - NOW, limit)
                self.assertEqual(change.next_attempt_at, int(change.next_attempt_at))
                event = replace(event, attempt_count=event.attempt_count + 1)

    def test_a_batch_that_fails_again_while_the_pixel_takes_others_is_split(self):
        events = [claimed(number, attempt_count=1) for number in range(1, 5)]
        self.assertEqual(in_words(ask(Outcome.TRANSIENT, events)), "split")
        again = ask(Outcome.TRANSIENT, events, HISTORIES["failing"])
        self.assertEqual(in_words(again), "waits")

    def test_a_part_of_a_batch_that_is_split_does_not_count_its_tries(self):
        events = [claimed(number, isolation_part=1) for number in (1, 2)]
        decision = ask(Outcome.TRANSIENT, events, HISTORIES["failing"])
        self.assertFalse(any(change.counts for change in decision.changes))
        self.assertTrue(decision.more)

    def test_an_event_that_fails_alone_while_others_are_taken_waits_by_itself(self):
        decision = ask(Outcome.TRANSIENT, [claimed(attempt_count=1)])
        (change,) = decision.changes
        self.assertEqual(change.isolation_part, 1)
        self.assertFalse(decision.pixel.is_failing)
        self.assertTrue(decision.more)

    def test_what_meta_asks_to_wait_is_waited(self):
        told = replace(answer(Outcome.TRANSIENT), retry_after=55.2)
        values = {"attempt_id": 7, "now": NOW, "random": lambda: 0.5}
        decision = decide(told, [claimed()], Pixel(), **values)
        self.assertEqual(decision.changes[0].next_attempt_at, NOW + 56)

    def test_a_last_try_is_made_before_the_window_closes(self):
        event = claimed(attempt_count=20, first_copy_at=NOW - 47 * 3600)
        (change,) = ask(Outcome.TRANSIENT, [event], HISTORIES["failing"]).changes
        self.assertLess(change.next_attempt_at, event.closes_at)
        self.assertGreater(change.next_attempt_at, NOW)


class TestUnknown(BaseCase):
    def test_alone_it_is_given_up_at_the_tenth_time_and_not_before(self):
        for count in range(MAX_UNKNOWN_ATTEMPTS):
            # Tries that ended otherwise do not count.
            event = claimed(unknown_count=count, attempt_count=count + 50)
            (change,) = ask(Outcome.UNKNOWN, [event]).changes
            is_last = count == MAX_UNKNOWN_ATTEMPTS - 1
            self.assertEqual(change.state, FAILED if is_last else PENDING)
            self.assertTrue(change.is_unknown)
            if is_last:
                self.assertEqual(change.cause, "exhausted")

    def test_another_alone_that_meets_the_same_shows_that_it_is_the_pixel(self):
        pixel = Pixel(doubt=Doubt(99))
        decision = ask(Outcome.UNKNOWN, 1, pixel)
        self.assertTrue(decision.pixel.is_failing)
        self.assertIsNone(decision.pixel.doubt)
        # From then on nothing is split.
        self.assertEqual(in_words(ask(Outcome.UNKNOWN, 5, decision.pixel)), "waits")


class TestAmbiguous(BaseCase):
    REFUSED = History(accepted_id=5, accepted_at=NOW - 1, refused_alone_id=3)

    def ask(self, history, pixel=None, **values):
        values = {"first_refusal_id": 2, **values}
        return ask(Outcome.AMBIGUOUS, [claimed(**values)], pixel, history=history)

    def test_refused_alone_again_just_after_another_was_accepted_is_invalid(self):
        self.assertEqual(in_words(self.ask(self.REFUSED)), "invalid")

    def test_it_is_not_invalid_for_anything_less(self):
        for less in (
            History(),
            replace(self.REFUSED, accepted_id=None),
            replace(self.REFUSED, accepted_id=3),  # before, not after
            replace(self.REFUSED, accepted_at=NOW - ACCEPTED_LATELY - 1),  # long ago
            replace(self.REFUSED, refused_alone_id=None),  # only in company
        ):
            with self.subTest(history=less):
                self.assertEqual(in_words(self.ask(less)), "waits")

    def test_two_alone_refused_alike_stop_the_pixel(self):
        decision = self.ask(History(), HISTORIES["in doubt"])
        self.assertTrue(decision.pixel.is_stopped)
        self.assertEqual(decision.pixel.cause, "no_reason")

    def test_neighbours_of_accepted_events_do_not_stop_it(self):
        accepted = replace(self.REFUSED, refused_alone_id=None)
        decision = self.ask(accepted, HISTORIES["in doubt"])
        self.assertFalse(decision.pixel.is_stopped)
        self.assertEqual(in_words(decision), "waits")

    def test_another_refusal_or_the_same_event_confirms_no_doubt(self):
        for doubt in (Doubt(99, 987654), Doubt(1, 100), Doubt(99, 100, 5)):
            with self.subTest(doubt=doubt):
                decision = self.ask(History(), Pixel(doubt=doubt))
                self.assertFalse(decision.pixel.is_stopped)
                self.assertEqual(decision.pixel.doubt, Doubt(1, 100))


class TestEarly(BaseCase):
    def ask(self, times, server_time):
        events = [Claimed(n, time, "website") for n, time in enumerate(times, 1)]
        told = replace(answer(Outcome.EARLY), server_time=server_time)
        return decide(told, events, Pixel(), attempt_id=7, now=NOW)

    def test_only_those_wait_whose_time_has_not_come_by_metas_clock(self):
        decision = self.ask([NOW - 60, NOW - 5, NOW], NOW - 25)
        due = {id_: c.next_attempt_at for c in decision.changes for id_ in c.ids}
        self.assertEqual(due, {1: NOW, 2: NOW - 5 + 26, 3: NOW + 26})
        self.assertEqual(decision.pixel.clock_skew, 26)
        self.assertTrue(decision.more)

    def test_where_metas_clock_is_not_known_nothing_is_given_up(self):
        self.assertTrue(self.ask([NOW - 60, NOW - 5], None).is_split)
        (change,) = self.ask([NOW - 60], None).changes
        self.assertEqual(change.state, PENDING)
        self.assertGreater(change.next_attempt_at, NOW)

    def test_the_skew_is_gone_with_the_first_answer_that_shows_none(self):
        told = replace(answer(Outcome.ACCEPTED), server_time=NOW)
        decision = decide(
            told, [claimed()], Pixel(clock_skew=26), attempt_id=7, now=NOW
        )
        self.assertEqual(decision.pixel.clock_skew, 0)


class TestThrottled(BaseCase):
    def wait(self, pixel=None, **values):
        told = replace(answer(Outcome.THROTTLED), **values)
        decision = decide(
            told,
            [claimed()],
            pixel or Pixel(),
            attempt_id=7,
            now=NOW,
            random=lambda: 0.5,
        )
        return decision.pixel.wait_until - NOW

    def test_it_lasts_as_long_as_meta_says(self):
        self.assertEqual(self.wait(retry_after=1140.0), 1140)

    def test_told_no_time_it_grows_from_seconds_to_an_hour(self):
        self.assertEqual(self.wait(), 5)
        for fails_for, seconds in ((60, 60), (600, 600), (DAY, 3600)):
            pixel = Pixel(failing_since=NOW - fails_for)
            self.assertEqual(self.wait(pixel), seconds)


class TestPlan(BaseCase):
    def test_who_is_asked_next(self):
        long = Pixel(failing_since=NOW - FAILING_LONG)
        stopped = HISTORIES["stopped"]
        due = replace(stopped, next_probe_at=NOW)
        paused = Pixel(wait_until=NOW + 1)
        for pixel, by_hand, limit, order in (
            (Pixel(), False, 1000, Order.OLDEST),
            (HISTORIES["failing"], False, 1000, Order.OLDEST),
            (long, False, 1, Order.LEAST_TRIED),
            (replace(long, failing_since=NOW - FAILING_LONG + 1), False, 1000, OLDEST),
            (replace(stopped, next_probe_at=None), False, None, None),
            (HISTORIES["in doubt"], False, 1, Order.LEAST_TRIED),
            (stopped, False, None, None),
            (due, False, 1, Order.LONGEST_DUE),
            (paused, False, None, None),
            (Pixel(wait_until=NOW), False, 1000, Order.OLDEST),
            # A person wants the answer, whatever we think of the pixel.
            (stopped, True, 1000, Order.OLDEST),
            (paused, True, 1000, Order.OLDEST),
            (long, True, 1000, Order.OLDEST),
            (HISTORIES["in doubt"], True, 1, Order.LEAST_TRIED),
        ):
            with self.subTest(pixel=pixel, by_hand=by_hand):
                found = plan(pixel, NOW, by_hand=by_hand)
                self.assertEqual(
                    found and (found.limit, found.order), limit and (limit, order)
                )

    def test_a_stopped_pixel_is_asked_once_an_hour(self):
        decision = ask(Outcome.STOPPED)
        next_probe_at = decision.pixel.next_probe_at
        self.assertEqual(next_probe_at, NOW + PROBE_INTERVAL)
        self.assertIsNone(plan(decision.pixel, next_probe_at - 1))
        self.assertTrue(plan(decision.pixel, next_probe_at).is_probe)

    def test_events_of_metas_future_wait_for_their_time(self):
        batch = [claimed(1), Claimed(2, NOW - 3, "website")]
        (change,) = early(batch, Pixel(clock_skew=26), NOW)
        self.assertEqual(change, Change((2,), cause="clock", next_attempt_at=NOW + 23))
        self.assertFalse(early(batch, Pixel(), NOW))
        self.assertFalse(early([Claimed(2, NOW + 9, "website")], Pixel(), NOW))
        # At that very second it has come.
        self.assertFalse(early(batch, Pixel(clock_skew=26), NOW + 23))
        part = replace(batch[1], isolation_part=9, first_refusal_id=4)
        (change,) = early([part], Pixel(clock_skew=26), NOW)
        self.assertEqual((change.isolation_part, change.first_refusal_id), (9, 4))


class TestOverdue(BaseCase):
    def test_late_and_counted_twice_are_told_apart(self):
        batch = [
            claimed(1),
            Claimed(2, NOW - 7 * DAY, "website"),
            Claimed(3, NOW - 7 * DAY, "physical_store"),
            Claimed(4, NOW - 3600, "website", first_copy_at=NOW - 2 * DAY),
        ]
        found = {change.ids: change.cause for change in overdue(batch, NOW)}
        self.assertEqual(found, {(2,): "expired", (4,): "expired_copy"})

    def test_it_ends_with_the_second_in_which_its_window_closes(self):
        event = claimed()
        copied = replace(event, first_copy_at=NOW)
        for one, cause in ((event, "expired"), (copied, "expired_copy")):
            self.assertEqual(overdue([one], one.closes_at - 1), ())
            (change,) = overdue([one], one.closes_at)
            self.assertEqual(
                change, Change((1,), FAILED, "expired", cause), "at its very end"
            )


class TestWake(BaseCase):
    def test_who_is_due_when_the_pixel_takes_events_again(self):
        era = Wake(failing_since=NOW - 60)
        common = {"part_size": 1, "unknown_count": 0, "first_refusal_id": None}
        before, after = NOW - 90, NOW - 30
        for wake, values, woken in (
            (era, {"isolation_part": None, "tried_at": before}, True),
            (era, {"isolation_part": 1, "tried_at": after}, True),
            # Its own fault: it failed before that trouble began.
            (era, {"isolation_part": 1, "tried_at": before}, False),
            (era, {"isolation_part": 1, "part_size": 2, "tried_at": before}, True),
            (
                era,
                {"isolation_part": 1, "first_refusal_id": 3, "tried_at": before},
                True,
            ),
            (era, {"isolation_part": 1, "tried_at": NOW - 60}, False),
            (Wake(), {"isolation_part": 1, "tried_at": after}, False),
            # Ten tries are to be spread over a day.
            (
                era,
                {"isolation_part": None, "unknown_count": 1, "tried_at": after},
                False,
            ),
            (
                Wake(True),
                {"isolation_part": 1, "unknown_count": 1, "tried_at": 0},
                True,
            ),
        ):
            with self.subTest(wake=wake, **values):
                self.assertIs(is_woken(wake, **{**common, **values}), woken)
