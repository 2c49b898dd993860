from __future__ import annotations

import os
import random
from concurrent.futures import ProcessPoolExecutor
from math import ceil, log2
from textwrap import dedent

from ..dev.testing.simulate import as_lines
from .simulation import meta
from .simulation.histories import make_history, play, search, shrink
from .simulation.world import PIXELS, START, Action, World

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

PIXEL = PIXELS[0]
# Few where Odoo's suite runs; `make test-core` sets more.
COUNT = int(os.environ.get("SIMULATION_COUNT", "150"))
SEED = int(os.environ.get("SIMULATION_SEED", "0"))
ONCE = [
    kind
    for kind in (*meta.REPLIES, *meta.SILENCES, meta.SHORT)
    # These tell how long to wait, or that a person must act.
    if kind not in ("told_429", "code_80004", "retry_after", *meta.STOPPING)
    # These are about an event, and blame one in the wrong.
    and kind not in (*meta.REFUSING, "too_old")
]


def events(count, poisons=(), at=0, **values):
    """Return the recording of events at once, some of which Meta never takes."""
    return [
        Action(
            at,
            "record",
            (
                f"e{at}-{number}",
                values.get("pixel_id", PIXEL),
                None,
                dict(poisons).get(number),
            ),
        )
        for number in range(count)
    ]


def visitors(seconds, every=3):
    """Return fresh events of other visitors."""
    return [action for at in range(10, seconds, every) for action in events(1, at=at)]


class TestPromises(BaseCase):
    def test_no_history_breaks_a_promise(self):
        workers = min(os.cpu_count() or 1, 4) if COUNT > 1000 else 1
        share = -(-COUNT // workers)
        starts = range(SEED, SEED + workers * share, share)
        if workers == 1:
            found = [search(SEED, COUNT)]
        else:
            with ProcessPoolExecutor(workers) as pool:
                found = list(pool.map(search, starts, [share] * workers))
        for broken in filter(None, found):
            seed, actions, violations = broken
            lines = "\n".join(map(str, actions))
            self.fail(f"seed {seed}: {violations}\n{lines}")

    def test_histories_are_as_varied_as_they_claim(self):
        seen = set()
        for seed in range(300):
            for action in make_history(seed):
                seen.add(action.name)
                seen.update(a for a in action.arguments if isinstance(a, str))
        names = {
            *("record", "trouble", "answer", "send_now", "retry", "cancel", "race"),
            *("switch_off", "release", "kill", "clock_ahead"),
        }
        kinds = {
            *meta.TRANSIENT,
            *meta.UNKNOWN,
            *meta.THROTTLED,
            *meta.STOPPING,
            *meta.POISONS,
        }
        self.assertLessEqual(names | kinds, seen)

    def test_a_broken_promise_is_made_short(self):
        actions = make_history(7)
        target = next(a for a in actions if a.name == "record")
        self.assertEqual(shrink(actions, lambda some: target in some), [target])

    def test_a_history_can_be_pasted_into_a_test(self):
        history = [Action(3, "record", ("e1", PIXEL, None, "no_reason", 0)), *events(2)]
        names = {"Action": Action, "play": play, "self": self}
        exec(dedent(as_lines(7, history)), names)
        self.assertEqual(names["actions"], history)


class TestBlip(BaseCase):
    def test_one_bad_answer_of_any_kind_costs_ten_seconds_at_most(self):
        for kind in ONCE:
            for count in (1, 2, 20):
                for seed in range(5):
                    blip = Action(0, "answer", (PIXEL, kind))
                    world = play([blip, *events(count)], seed)
                    with self.subTest(kind=kind, count=count, seed=seed):
                        self.assertEqual(world.violations(), [])
                        states = {row.state for row in world.store.rows.values()}
                        self.assertEqual(states, {"sent"})
                        last = max(row.tried_at for row in world.store.rows.values())
                        # 5 s until the job, then the blip.
                        self.assertLessEqual(last - START, 5 + 10)


class TestCulprits(BaseCase):
    def world(self, count, poisons, traffic=0, seed=0):
        return play([*events(count, poisons), *visitors(traffic)], seed)

    def assert_others_sent(self, world, seconds):
        for row in world.store.rows.values():
            if row.key not in world.meta.poisons:
                self.assertEqual(row.state, "sent", row)
                recorded = world.recorded_at[row.key]
                self.assertLessEqual(row.tried_at - recorded, seconds, row)
        self.assertEqual(world.violations(), [])

    def test_refused_events_are_found_within_the_bound(self):
        dice = random.Random(1)
        for count in (1, 2, 3, 7, 16, 100):
            for culprits in (1, 2, 5):
                if culprits > count:
                    continue
                for kind in meta.REFUSING:
                    chosen = dice.sample(range(count), culprits)
                    world = self.world(count, dict.fromkeys(chosen, kind))
                    bound = 2 * culprits * (ceil(log2(count)) + 1)
                    with self.subTest(count=count, culprits=culprits, kind=kind):
                        self.assertLessEqual(len(world.meta.requests), bound)
                        self.assert_others_sent(world, 6)

    def test_refused_without_a_reason_needs_few_more(self):
        # Another single event is asked, and the culprit once more.
        for count in (2, 16, 100):
            for culprit in (0, count // 2, count - 1):
                poisons = {culprit: "no_reason"}
                world = self.world(count, poisons, traffic=40)
                fresh = len(world.store.rows) - count
                bound = 2 * (ceil(log2(count)) + 1) + 2 + fresh
                with self.subTest(count=count, culprit=culprit):
                    self.assertLessEqual(len(world.meta.requests), bound)
                    self.assert_others_sent(world, 10)
                    row = world.store.rows[culprit + 1]
                    self.assertEqual(row.failure_reason, "invalid")

    def test_one_that_meets_an_unknown_answer_takes_nobody_along(self):
        for culprit in (0, 50, 99):
            world = self.world(100, {culprit: "unknown"}, traffic=60)
            self.assert_others_sent(world, 10)
            row = world.store.rows[culprit + 1]
            self.assertEqual(row.failure_reason, "exhausted")
            alone = [r.at for r in world.meta.requests if r.keys == (row.key,)]
            self.assertEqual(len(alone), 10)
            self.assertGreaterEqual(alone[-1] - alone[0], 24 * 3600)

    def test_one_that_breaks_meta_keeps_nobody_waiting(self):
        for kind in ("error_500", meta.SHORT, "code_1"):
            for traffic, seconds in ((300, 20), (0, 600)):
                for culprit in (0, 50, 99):
                    world = self.world(100, {culprit: kind}, traffic)
                    with self.subTest(kind=kind, traffic=traffic, culprit=culprit):
                        self.assert_others_sent(world, seconds)

    def test_a_permission_that_all_lack_stops_the_pixel_after_a_handful(self):
        trouble = Action(0, "trouble", (PIXEL, "no_reason", 30_000))
        for count in (2, 5, 16, 100):
            world = World()
            world.run_until([trouble, *events(count)], START + 60)
            with self.subTest(count=count):
                self.assertTrue(world.store.pixels[PIXEL].is_stopped)
                requests = len(world.meta.requests)
                self.assertLessEqual(requests, ceil(log2(count)) + 3)
                states = {row.state for row in world.store.rows.values()}
                self.assertEqual(states, {"pending"})

    def test_a_click_in_that_state_makes_a_handful_of_requests(self):
        actions = [
            Action(0, "trouble", (PIXEL, "no_reason", 30_000)),
            *events(5),
            Action(1, "send_now", (PIXEL, 5)),
        ]
        world = World()
        world.run_until(actions, START + 2)
        self.assertTrue(world.store.pixels[PIXEL].is_stopped)
        self.assertLessEqual(len(world.meta.requests), 6)
        states = {row.state for row in world.store.rows.values()}
        self.assertEqual(states, {"pending"})


class TestRules(BaseCase):
    def test_a_second_life_counts_its_own_tries(self):
        actions = [
            *events(1, {0: "unknown"}),
            Action(3 * 24 * 3600, "retry"),
        ]
        world = play(actions)
        alone = [r.at - START for r in world.meta.requests]
        self.assertEqual(len(alone), 20)
        self.assertEqual(world.store.rows[1].failure_reason, "exhausted")

    def test_an_innocents_first_blip_after_a_search_is_short(self):
        search = events(16, {3: "payload"})
        blip = Action(5, "kill", ("announce",))
        world = play([*search, blip])
        for row in world.store.rows.values():
            if row.state == "sent":
                self.assertEqual(row.attempt_count, 1)

    def test_a_clock_that_is_ahead_costs_nothing_but_the_time_it_is_ahead(self):
        for skew in (2, 25, 55):
            for tells_date in (True, False):
                ahead = Action(0, "clock_ahead", (skew, tells_date))
                world = play([ahead, *events(20), *visitors(40)])
                with self.subTest(skew=skew, tells_date=tells_date):
                    self.assertEqual(world.violations(), [])
                    for row in world.store.rows.values():
                        self.assertEqual(row.state, "sent")
                        if tells_date:
                            late = row.tried_at - world.recorded_at[row.key]
                            self.assertLessEqual(late, skew + 30)
