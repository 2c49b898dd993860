import contextlib
import logging
import time
from datetime import timedelta

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.tools import SQL

from ...capi.answer import Answer, Outcome
from ...capi.delivery import MAX_SECONDS, Step, deliver, send_batch, send_chosen
from ...capi.errors import InvalidParameter
from ..common.border import log_error
from .outbox import EventTable, PixelOutbox

# The name admins are told to look for, whatever the database.
_logger = logging.getLogger("meta.conversions.api")

# Jobs of one pixel that wait at once: one whose time is ahead, one already on its way,
# and one for what is tried again, whose time may be far ahead. More would add nothing,
# so they do not pile up where no jobrunner runs.
JOB_SLOTS = ("0", "1")
RETRY_SLOT = "retry"
# Seconds a job must still be ahead for a transaction to leave its events to it.
JOIN_MARGIN = 1
# Seconds after which a job that nobody started tells that no jobrunner is there.
RUNNER_ABSENT_AFTER = 60
# Seconds ahead for which a job sees to what is retried. The sweep sees to the rest.
RETRY_BY_JOB = 5 * 60


class MetaCapiDelivery(models.AbstractModel):
    """From pending events to Meta's answer on each of them.

    What a round of delivery does is told in ``capi.delivery``, and what an answer means
    in ``capi.decision``. Here are its transactions and what brings it to life: a job
    soon after events are committed, and the sweep, a scheduled action, which finds what
    no job came for, and does the work itself where no jobrunner runs.

    A round has a cursor of its own. It is READ COMMITTED: under REPEATABLE READ, the
    job's own level, a second worker fails on rows that the first one has just committed,
    and takes back what Meta already has. The locks die with their worker, so no event is
    left claimed.
    """

    _name = "meta.capi.delivery"
    _description = "Delivery of events to Meta"

    # ---------------------------------------------------------------- jobs and sweep

    @api.model
    def _schedule(self, pixel_id, delay=None, slots=JOB_SLOTS):
        """Have the pending events of ``pixel_id`` delivered after this transaction.

        A job whose time is still ahead serves this transaction too, if it comes in time.
        One that is about to start does not: it may look before we commit. Transactions
        that cannot see each other's job yet would each add one; the advisory locks keep
        that to ``slots``. What falls through is found by the sweep.

        :param delay: seconds, by default those of the configuration
        :param slots: the slots that a new job may take
        """
        if delay is None:
            delay = self.env["meta.capi.config"]._batch_delay()
        now = fields.Datetime.now()
        margin = min(JOIN_MARGIN, delay / 2)
        # A visible job that is younger than this transaction is its own. queue_job
        # keeps whole seconds.
        self.env.cr.execute(
            SQL(
                """
                SELECT identity_key,
                       state = 'pending' AND coalesce(eta, date_created) <= %s AND (
                           eta > %s
                           OR date_created >= date_trunc('second', now() AT TIME ZONE 'UTC')
                       )
                  FROM queue_job
                 WHERE identity_key IN %s
                   AND state IN ('pending', 'enqueued')
                """,
                now + timedelta(seconds=delay + JOIN_MARGIN),
                now + timedelta(seconds=margin),
                tuple(self._job_keys(pixel_id)),
            )
        )
        waiting = dict(self.env.cr.fetchall())
        if any(waiting.values()):
            return
        for key in self._job_keys(pixel_id, slots):
            if key not in waiting and self._try_lock(key):
                # The jobs run as superuser: whoever records an event may do nothing
                # with it.
                self.with_user(SUPERUSER_ID).with_delay(
                    eta=delay, identity_key=key
                )._deliver(pixel_id)
                return

    @api.model
    def _job_keys(self, pixel_id, slots=(*JOB_SLOTS, RETRY_SLOT)):
        return [f"meta_capi.deliver:{pixel_id}:{slot}" for slot in slots]

    @api.model
    def _try_lock(self, key):
        self.env.cr.execute(
            SQL("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", key)
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _sweep(self):
        """Deliver what no job is going to deliver: the cron."""
        if not self.env["meta.capi.config"]._is_enabled():
            return
        deadline = self._now() + MAX_SECONDS
        with self._delivery_cursor() as cr:
            EventTable(api.Environment(cr, SUPERUSER_ID, {})).expire_overdue(
                self._now()
            )
        for pixel_id in self._due_pixel_ids():
            if not self._is_runner_absent(pixel_id):
                self._schedule(pixel_id, delay=0)
                continue
            try:
                self._deliver_until(pixel_id, deadline)
            except Exception as error:
                # The border: one pixel's trouble must not keep the others waiting.
                log_error(f"Pixel {pixel_id} could not be delivered to", error)
        self._tell_managers()

    @api.model
    def _due_pixel_ids(self):
        now = fields.Datetime.now()
        # The one that has waited longest comes first: time may not do for all.
        self.env.cr.execute(
            SQL(
                """
                SELECT event.pixel_id
                  FROM meta_capi_event event
                  LEFT JOIN meta_capi_pixel pixel USING (pixel_id)
                 WHERE event.state = 'pending'
                   AND event.next_attempt_at <= %s
                   AND coalesce(pixel.wait_until, event.next_attempt_at) <= %s
                   AND coalesce(pixel.next_probe_at, event.next_attempt_at) <= %s
                 GROUP BY event.pixel_id
                 ORDER BY min(event.next_attempt_at)
                """,
                now,
                now,
                now,
            )
        )
        return [pixel_id for (pixel_id,) in self.env.cr.fetchall()]

    @api.model
    def _is_runner_absent(self, pixel_id):
        """Tell whether a job of ours has been waiting for longer than it can."""
        self.env.cr.execute(
            SQL(
                """
                SELECT EXISTS (
                    SELECT FROM queue_job
                     WHERE identity_key IN %s
                       AND state IN ('pending', 'enqueued')
                       AND coalesce(eta, date_created) < %s
                )
                """,
                tuple(self._job_keys(pixel_id)),
                fields.Datetime.now() - timedelta(seconds=RUNNER_ABSENT_AFTER),
            )
        )
        return self.env.cr.fetchone()[0]

    # ------------------------------------------------------------------ the rounds

    @api.model
    def _deliver(self, pixel_id):
        """Send pending events to Meta"""
        run = self._deliver_until(pixel_id, self._now() + MAX_SECONDS)
        return _("Events sent to Meta: %(count)s.", count=run.sent)

    def _deliver_until(self, pixel_id, deadline):
        """Send what is due, retry what failed just now, and see that the rest follows.

        :param deadline: Unix time after which no request is begun
        """
        run = deliver(
            lambda: self._deliver_batch(pixel_id),
            self._now,
            self._sleep,
            deadline=deadline,
            has_to_end=self._is_registry_outdated,
        )
        if run.is_cut:
            self._schedule(pixel_id, delay=0)
        elif run.retry_at is not None:
            ahead = max(run.retry_at - self._now(), 0)
            if ahead <= RETRY_BY_JOB:
                # Apart, or what is recorded meanwhile would find no free slot.
                self._schedule(pixel_id, delay=ahead, slots=(RETRY_SLOT,))
        return run

    def _deliver_chosen(self, pixel_id, event_ids):
        """Send these events because a person wants to know, each batch once.

        :return: a ``capi.delivery.Run``
        """
        run = send_chosen(
            lambda chosen: self._deliver_batch(pixel_id, chosen),
            event_ids,
            self._now,
            deadline=self._now() + MAX_SECONDS,
        )
        # What was not taken waits for its next try like any other.
        self._schedule(pixel_id, delay=0)
        return run

    def _deliver_batch(self, pixel_id, event_ids=None):
        """Send one request, in a transaction of its own.

        :param event_ids: what a person chose to send now, due or not
        :return: a ``capi.delivery.Step``
        """
        with self._delivery_cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            step = self.with_env(env)._send_batch(pixel_id, event_ids)
        if step.changes_stop:
            self._tell_managers(pixel_id)
        return step

    def _send_batch(self, pixel_id, event_ids):
        config = self.env["meta.capi.config"]
        if not config._is_enabled():
            return Step()
        outbox = PixelOutbox(self.env, pixel_id, self._delivery_cursor)
        sender = self._sender(pixel_id)
        step = send_batch(outbox, sender, self._now, chosen=event_ids)
        answer = step.answer
        if answer and answer.version_warning:
            pixels = self.env["meta.capi.pixel"]
            pixels._keep_version_warning(pixel_id, answer.version_warning)
        if answer and answer is not sender and answer.error_message:
            _logger.warning(
                "Pixel %s: %d events not accepted (%s), HTTP %s, code %s/%s, trace %s: %s",
                pixel_id,
                len(step.ids),
                answer.outcome.value,
                answer.http_status,
                answer.error_code,
                answer.error_subcode,
                answer.fbtrace_id,
                answer.error_message,
            )
        return step

    def _sender(self, pixel_id):
        """Return what sends events to a pixel, or the answer where nothing can."""
        config = self.env["meta.capi.config"]
        token = config._access_token(pixel_id)
        if not token:
            return Answer(
                Outcome.STOPPED,
                "no_token",
                error_message=_("No access token is set for this pixel."),
            )
        try:
            client = config._graph_client()
        except InvalidParameter as error:
            return Answer(Outcome.STOPPED, "setting", error_message=str(error))
        return lambda bodies, test_event_code: client.send_events(
            pixel_id, token, bodies, test_event_code
        )

    def _tell_managers(self, pixel_id=None):
        """Bring the notices in line with what is, in a transaction of their own.

        The border: nothing about a notice may undo what was sent or scheduled.

        :param pixel_id: look at the stop of this pixel only
        """
        try:
            with self._delivery_cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                if pixel_id:
                    pixel = env["meta.capi.pixel"]._get(pixel_id)
                    env["meta.capi.alert"]._look_after_stopped(pixel)
                else:
                    env["meta.capi.alert"]._look_after_all()
        except Exception as error:
            log_error("The managers could not be told what is wrong", error)

    # -------------------------------------------------- time, transactions, processes

    @api.model
    def _now(self):
        """Return the Unix time; everything about delivery keeps whole seconds."""
        return int(time.time())

    @api.model
    def _sleep(self, seconds):
        time.sleep(seconds)

    @api.model
    def _is_registry_outdated(self):
        """Take over what other processes changed: a token or a switch counts at once.

        :return: True where the registry itself was rebuilt; the next job gets the new one
        """
        return self.env.registry.check_signaling() is not self.env.registry

    @api.model
    @contextlib.contextmanager
    def _delivery_cursor(self):
        """Open a READ COMMITTED cursor, committed at the end."""
        with self.env.registry.cursor() as cr:
            # One that shares a connection may be inside a transaction.
            if cr.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE:
                cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            yield cr
