from __future__ import annotations

from unittest.mock import patch

from ..capi.answer import Answer
from ..capi.delivery import MAX_SECONDS, Step, deliver, send_batch, send_chosen
from ..capi.graph_errors import Outcome
from ..capi.states import Doubt, Pixel
from .simulation.memory import MemoryOutbox, MemoryStore

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

LIMIT_TIME_REAL = 120
# A request's own longest: to connect, and an answer that drips.
REQUEST = 30


NOW = 1_800_000_000
HOUR = 3600


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

    def test_it_naps_twice_at_most(self):
        script = Script(*[failed(1)] * 9)
        run = script.deliver()
        self.assertEqual(script.naps, [1, 1])
        self.assertEqual(run.retry_at, script.now + 1)

    def test_40_seconds_are_napped_and_41_are_not(self):
        for seconds, naps in ((40, [40]), (41, [])):
            script = Script(failed(seconds))
            script.deliver()
            self.assertEqual(script.naps, naps)

    def test_nothing_is_begun_after_45_seconds(self):
        script = Script(*[Step(more=True)] * 99, seconds=1)
        script.deliver()
        self.assertEqual(script.count, 45)
        script = Script(lambda now: Step(retry_at=now + 30), seconds=15)
        script.deliver()
        self.assertEqual(script.naps, [])

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
        self.assertTrue(script.deliver().is_interrupted)

    def test_another_process_goes_on_where_the_registry_has_changed(self):
        script = Script(Step(more=True))
        run = script.deliver(should_stop=lambda: script.count == 1)
        self.assertTrue(run.is_interrupted)
        self.assertEqual(script.count, 1)
        script = Script(failed(5, more=True))
        script.deliver(should_stop=lambda: script.count == 1)
        self.assertEqual(script.naps, [])

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

    def test_it_ends_with_its_time(self):
        script = Script(*[Step((number,)) for number in range(9)], seconds=15)
        send_chosen(
            lambda chosen: script.send(),
            range(9),
            script.clock,
            deadline=script.now + 45,
        )
        self.assertEqual(script.count, 3)

    def test_it_ends_where_nothing_can_be_claimed(self):
        _run, asked = self.send(Step(), Step((1, 2, 3)))
        self.assertEqual(len(asked), 1)

    def test_where_nothing_was_asked_there_is_no_answer(self):
        run, _asked = self.send(Step((1, 2, 3)))
        self.assertEqual(run.answers, ())


class TestSendBatch(BaseCase):
    """One round, with an outbox in memory."""

    ACCEPTED = Answer(Outcome.ACCEPTED, arrived=False)
    STOPPED = Answer(Outcome.STOPPED, "token", arrived=False)
    REFUSED = Answer(Outcome.REFUSED, "value", arrived=False)
    NO_REASON = Answer(Outcome.AMBIGUOUS, "no_reason", error_code=100)

    def setUp(self):
        super().setUp()
        self.store = MemoryStore()
        self.asked = []
        self.now = NOW
        # Seconds that Meta takes to answer.
        self.takes = 0

    def add(self, *due, **values):
        for next_attempt_at in due:
            self.store.add(
                **{
                    **{"key": f"e{len(self.store.rows)}", "pixel_id": "1"},
                    **{"test_event_code": None, "event_time": NOW - HOUR},
                    **{"action_source": "website", "next_attempt_at": next_attempt_at},
                    **values,
                }
            )

    def know(self, **values):
        self.store.pixels["1"] = Pixel(**values)

    def send(self, answer, **values):
        """Return a round to which Meta answers so, without the answer itself."""

        def ask(bodies, test_event_code):
            self.asked.append((*bodies, test_event_code))
            self.now += self.takes
            return answer

        sender = values.pop("sender", ask)
        with self.store.outbox("1") as outbox:
            step = send_batch(
                outbox, sender, lambda: self.now, random=lambda: 0.5, **values
            )
        return step

    def states(self):
        return [row.state for row in self.store.rows.values()]

    def test_what_a_round_says_of_itself(self):
        self.add(NOW, NOW, NOW + 1)
        step = self.send(self.ACCEPTED)
        self.assertEqual(step, Step((1, 2), sent=2, answer=self.ACCEPTED))
        self.assertEqual(self.asked, [(b"e0", b"e1", None)])
        self.now = NOW + 1
        self.add(NOW, test_event_code="TEST")
        step = self.send(self.ACCEPTED)
        self.assertEqual(step, Step((3,), sent=1, more=True, answer=self.ACCEPTED))
        step = self.send(self.STOPPED)
        self.assertEqual(self.asked[-1], (b"e3", "TEST"))
        expected = Step((4,), answer=self.STOPPED, is_over=True, changes_stop=True)
        self.assertEqual(step, expected)
        self.assertEqual(self.send(self.ACCEPTED), Step())
        # The next probe is an hour away, and finds the event.
        self.now += HOUR
        step = self.send(self.ACCEPTED)
        self.assertEqual(
            step,
            Step((4,), sent=1, more=True, answer=self.ACCEPTED, changes_stop=True),
        )

    def test_a_split_and_a_wait(self):
        self.add(NOW, NOW)
        step = self.send(self.REFUSED)
        self.assertEqual(
            step, Step((1, 2), more=True, answer=self.REFUSED, is_split=True)
        )
        self.send(self.REFUSED)
        self.assertEqual(self.states(), ["failed", "pending"])
        down = Answer(Outcome.TRANSIENT, "meta_down")
        step = self.send(down)
        self.assertEqual(step, Step((2,), more=True, retry_at=NOW + 5, answer=down))
        self.assertTrue(self.store.known_pixel("1").is_failing)

    def test_a_pause_ends_the_round(self):
        self.add(NOW, NOW + 1)
        told = Answer(Outcome.ACCEPTED, slow_down=60.0)
        self.assertEqual(self.send(told), Step((1,), sent=1, answer=told, is_over=True))
        self.assertEqual(self.send(self.ACCEPTED), Step())
        self.now += 60
        self.assertEqual(self.send(self.ACCEPTED).sent, 1)

    def test_what_is_not_sent_any_more_is_ended_before_others_are_sent(self):
        self.add(NOW, event_time=NOW - 8 * 24 * HOUR)
        self.add(NOW)
        step = self.send(self.ACCEPTED)
        self.assertEqual(step, Step((1,), more=True))
        self.assertEqual(self.states(), ["failed", "pending"])
        self.assertFalse(self.asked)

    def test_what_is_of_metas_future_waits_unless_a_person_wants_it(self):
        self.know(clock_skew=26)
        self.add(NOW, NOW, event_time=NOW - 20)
        step = self.send(self.ACCEPTED)
        self.assertEqual(step, Step((1, 2), more=True, retry_at=NOW + 6))
        self.assertFalse(self.asked)
        self.assertEqual(self.send(self.ACCEPTED, chosen=[1]).sent, 1)

    def test_a_person_is_answered_whatever_is_known_of_the_pixel(self):
        for values in (
            {"stopped_at": NOW, "next_probe_at": NOW + HOUR},
            {"wait_until": NOW + HOUR},
        ):
            self.know(**values)
            self.add(NOW + 9)
            self.assertEqual(self.send(self.ACCEPTED), Step())
            chosen = [len(self.store.rows)]
            self.assertEqual(self.send(self.ACCEPTED, chosen=chosen).sent, 1)

    def test_a_probe_is_taken_by_one_worker(self):
        self.know(stopped_at=NOW - HOUR, next_probe_at=NOW)
        self.add(NOW)
        with self.store.outbox("1") as other:
            self.assertTrue(other.take_probe(NOW))
        self.assertEqual(self.send(self.ACCEPTED), Step())
        # Both may have looked at once.
        self.know(stopped_at=NOW - HOUR, next_probe_at=NOW)
        with patch.object(MemoryOutbox, "take_probe", return_value=False):
            self.assertEqual(self.send(self.ACCEPTED), Step())
        self.assertFalse(self.asked)

    def test_where_nothing_is_due_nothing_is_asked(self):
        self.add(NOW + 1)
        self.assertEqual(self.send(self.ACCEPTED), Step())
        self.assertFalse(self.asked)

    def test_what_is_due_waits_with_the_pixel(self):
        self.add(NOW)
        self.add(NOW, test_event_code="TEST")
        self.assertFalse(self.send(Answer(Outcome.ACCEPTED, slow_down=60.0)).more)
        down = Answer(Outcome.TRANSIENT, "meta_down")
        self.add(NOW)
        self.know(failing_since=NOW - 5)
        self.assertFalse(self.send(down).more)
        # A stopped pixel is for the next probe, not for a retry.
        self.know(stopped_at=NOW - HOUR, next_probe_at=NOW)
        self.add(NOW)
        self.assertIsNone(self.send(down).retry_at)

    def test_a_pause_that_is_over_is_none(self):
        for wait_until in (NOW - 1, NOW):
            self.know(wait_until=wait_until)
            self.add(NOW)
            self.assertFalse(self.send(self.ACCEPTED).is_over)

    def test_nothing_is_read_or_written_in_vain(self):
        self.add(NOW, NOW)
        history = patch.object(MemoryOutbox, "history")
        write = patch.object(MemoryOutbox, "write_pixel")
        with history as asked, write as written:
            self.send(self.NO_REASON)  # two, the first of which
            self.send(self.REFUSED)  # is alone
            self.send(self.ACCEPTED)
        asked.assert_not_called()
        written.assert_not_called()

    def test_where_no_request_can_be_made_none_is_announced(self):
        self.add(NOW)
        step = self.send(None, sender=self.STOPPED)
        self.assertTrue(step.is_over)
        self.assertEqual(self.store.attempts, [])
        self.assertTrue(self.store.known_pixel("1").is_stopped)

    def test_the_times_are_those_of_the_answer(self):
        self.add(NOW)
        self.takes = 7
        step = self.send(Answer(Outcome.TRANSIENT, "meta_down"))
        self.assertEqual(step.retry_at, NOW + 7 + 5)
        (attempt,) = self.store.attempts
        self.assertEqual(
            (attempt.started_at, attempt.outcome.value), (NOW, "transient")
        )
        self.assertEqual(self.store.rows[1].tried_at, NOW + 7)

    def test_of_several_waits_the_first_is_told(self):
        self.add(NOW, NOW)
        self.store.rows[1].attempt_count = 2
        self.know(failing_since=NOW - 5)
        step = self.send(Answer(Outcome.TRANSIENT, "meta_down"))
        self.assertEqual(step.retry_at, NOW + 5)

    def test_the_log_decides_on_a_refusal_without_a_reason(self):
        self.add(NOW)
        self.send(self.NO_REASON)
        self.assertEqual(self.store.rows[1].first_refusal_id, 1)
        self.know()
        self.add(NOW)
        self.send(self.ACCEPTED)
        self.now += 5
        self.send(self.NO_REASON)
        self.assertEqual(self.states(), ["failed", "sent"])

    def test_a_doubt_is_written_down(self):
        self.add(NOW)
        self.send(self.NO_REASON)
        self.assertEqual(self.store.known_pixel("1").doubt, Doubt(1, 100))
        self.add(NOW)
        self.send(self.NO_REASON)
        self.assertTrue(self.store.known_pixel("1").is_stopped)
