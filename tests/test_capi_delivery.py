from __future__ import annotations

from ..capi.answer import Answer, Outcome
from ..capi.delivery import MAX_SECONDS, Step, deliver, send_chosen

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

LIMIT_TIME_REAL = 120
# A request's own longest: to connect, and an answer that drips.
REQUEST = 30


class Script:
    """Rounds that end as told, in a time of their own."""

    def __init__(self, *steps, seconds=0):
        self.now = 1000
        self.steps = list(steps)
        self.seconds = seconds
        self.naps = []
        self.count = 0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += int(seconds)

    def send(self, *_chosen):
        self.count += 1
        self.now += self.seconds
        step = self.steps.pop(0) if self.steps else Step()
        return step(self.now) if callable(step) else step

    def deliver(self, **values):
        deadline = self.now + MAX_SECONDS
        return deliver(self.send, self.clock, self.sleep, deadline=deadline, **values)


def failed(seconds, more=False):
    return lambda now: Step((1,), more=more, retry_at=now + seconds)


class TestDeliver(BaseCase):
    def test_it_goes_on_while_there_is_more(self):
        script = Script(Step(sent=3, more=True), Step(sent=2))
        self.assertEqual(script.deliver().sent, 5)
        self.assertFalse(script.naps)

    def test_what_failed_is_waited_for_and_tried_twice_more(self):
        script = Script(failed(6), failed(36), failed(300))
        run = script.deliver()
        self.assertEqual(script.naps, [6, 36])
        self.assertEqual(script.count, 3)
        self.assertEqual(run.retry_at, script.now + 300)

    def test_a_nap_never_ends_before_what_it_is_for_is_due(self):
        # The first of two failures counts; both are due after it.
        script = Script(failed(5, more=True), failed(9), Step(sent=2))
        run = script.deliver()
        self.assertEqual(script.naps, [5])
        self.assertEqual(run.sent, 2)

    def test_a_wait_that_is_longer_is_left_to_another_run(self):
        script = Script(failed(56))
        run = script.deliver()
        self.assertFalse(script.naps)
        self.assertEqual(run.retry_at, script.now + 56)

    def test_naps_and_requests_together_end_well_within_the_limit(self):
        for steps in (
            [failed(40)] * 9,
            [failed(36, more=True)] * 9,
            [Step(more=True)] * 99,
            [failed(6), failed(36), failed(36)],
        ):
            script = Script(*steps, seconds=REQUEST)
            started = script.now
            script.deliver()
            with self.subTest(steps=len(steps)):
                self.assertLess(script.now - started, LIMIT_TIME_REAL - REQUEST)

    def test_out_of_time_it_says_that_others_are_due(self):
        script = Script(*[Step(more=True)] * 99, seconds=10)
        self.assertTrue(script.deliver().is_cut)

    def test_another_process_goes_on_where_the_registry_has_changed(self):
        script = Script(Step(more=True))
        run = script.deliver(has_to_end=lambda: script.count == 1)
        self.assertTrue(run.is_cut)
        self.assertEqual(script.count, 1)

    def test_exceptions_pass_through_at_once(self):
        def send():
            raise KeyError("x")

        script = Script()
        with self.assertRaises(KeyError):
            deliver(send, script.clock, script.sleep, deadline=script.now + 9)
        self.assertFalse(script.naps)


class TestSendChosen(BaseCase):
    def send(self, *steps):
        script = Script(*steps)
        asked = []

        def send(chosen):
            asked.append(list(chosen))
            return script.send()

        run = send_chosen(send, [1, 2, 3], script.clock, deadline=script.now + 45)
        return run, asked

    def test_each_batch_is_sent_once_whatever_became_of_it(self):
        run, asked = self.send(Step((1, 2), sent=2), Step((3,), retry_at=1005))
        self.assertEqual(asked, [[1, 2, 3], [3]])
        self.assertEqual(run.sent, 2)

    def test_a_batch_that_is_split_is_asked_about_in_parts(self):
        split = Step((1, 2, 3), is_split=True, more=True)
        _run, asked = self.send(split, Step((1, 2)), Step((3,)))
        self.assertEqual(asked, [[1, 2, 3], [1, 2, 3], [3]])

    def test_it_ends_where_the_pixel_takes_nothing(self):
        answer = Answer(Outcome.STOPPED, "token")
        run, asked = self.send(Step((1,), is_over=True, answer=answer))
        self.assertEqual(len(asked), 1)
        self.assertEqual(run.answers, (answer,))
