import logging
import time

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.tools import SQL

from ...capi.answer import Answer
from ...capi.delivery import MAX_SECONDS, Step, deliver, send_batch, send_chosen
from ...capi.errors import InvalidParameter
from ...capi.graph_errors import Outcome
from ..common.border import log_error
from .event_summary import merge_summary
from .event_table import EventTable
from .meta_capi_job import RETRY_SLOT
from .pixel_outbox import PixelOutbox

# The name admins are told to look for, whatever the database.
_logger = logging.getLogger("meta.conversions.api")

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

    # --------------------------------------------------------------------- the sweep

    @api.model
    def _sweep(self):
        """Deliver what no job is going to deliver: the cron."""
        jobs = self.env["meta.capi.job"]
        if not self.env["meta.capi.config"]._is_enabled():
            return
        deadline = jobs._now() + MAX_SECONDS
        with jobs._delivery_cursor() as cr:
            EventTable(api.Environment(cr, SUPERUSER_ID, {})).expire_overdue(
                jobs._now()
            )
        for pixel_id in self._due_pixel_ids():
            if not jobs._is_runner_absent(pixel_id):
                jobs._schedule(pixel_id, delay=0)
                continue
            try:
                self._deliver_until(pixel_id, deadline)
            except Exception as error:
                # The border: one pixel's trouble must not keep the others waiting.
                log_error(f"Pixel {pixel_id} could not be delivered to", error)
        try:
            with jobs._delivery_cursor() as cr:
                merge_summary(cr)
        except Exception as error:
            # Unmerged, the sums are as right; what was scheduled above must stay.
            log_error("The sums of the log could not be merged", error)
        self._tell_managers()

    @api.model
    def _due_pixel_ids(self):
        # The one that has waited longest comes first: time may not do for all.
        self.env.cr.execute(
            SQL(
                """
                SELECT event.pixel_id
                  FROM meta_capi_event event
                  LEFT JOIN meta_capi_pixel pixel USING (pixel_id)
                 WHERE event.state = 'pending'
                   AND greatest(
                        event.next_attempt_at, pixel.wait_until, pixel.next_probe_at
                   ) <= %s
                 GROUP BY event.pixel_id
                 ORDER BY min(event.next_attempt_at)
                """,
                fields.Datetime.now(),
            )
        )
        return [pixel_id for (pixel_id,) in self.env.cr.fetchall()]

    # ------------------------------------------------------------------ the rounds

    @api.model
    def _deliver(self, pixel_id):
        """Send pending events to Meta"""
        jobs = self.env["meta.capi.job"]
        run = self._deliver_until(pixel_id, jobs._now() + MAX_SECONDS)
        return _("Events sent to Meta: %(count)s.", count=run.sent)

    def _deliver_until(self, pixel_id, deadline):
        """Send what is due, retry what failed just now, and see that the rest follows.

        :param deadline: Unix time after which no request is begun
        """
        jobs = self.env["meta.capi.job"]
        run = deliver(
            lambda: self._deliver_batch(pixel_id),
            jobs._now,
            self._sleep,
            deadline=deadline,
            should_stop=self._is_registry_outdated,
        )
        if run.is_interrupted:
            jobs._schedule(pixel_id, delay=0)
        elif run.retry_at is not None:
            ahead = run.retry_at - jobs._now()
            if ahead <= RETRY_BY_JOB:
                # Apart, or what is recorded meanwhile would find no free slot.
                jobs._schedule(pixel_id, delay=ahead, slots=(RETRY_SLOT,))
        return run

    def _deliver_chosen(self, pixel_id, event_ids):
        """Send these events because a person wants to know, each batch once.

        :return: a ``capi.delivery.Run``
        """
        jobs = self.env["meta.capi.job"]
        run = send_chosen(
            lambda chosen: self._deliver_batch(pixel_id, chosen),
            event_ids,
            jobs._now,
            deadline=jobs._now() + MAX_SECONDS,
        )
        # What was not taken waits for its next try like any other.
        jobs._schedule(pixel_id, delay=0)
        return run

    def _deliver_batch(self, pixel_id, event_ids=None):
        """Send one request, in a transaction of its own.

        :param event_ids: what a person chose to send now, due or not
        :return: a ``capi.delivery.Step``
        """
        jobs = self.env["meta.capi.job"]
        with jobs._delivery_cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            step = self.with_env(env)._send_batch(pixel_id, event_ids)
        if step.changes_stop:
            self._tell_managers(pixel_id)
        return step

    def _send_batch(self, pixel_id, event_ids):
        jobs = self.env["meta.capi.job"]
        config = self.env["meta.capi.config"]
        if not config._is_enabled():
            return Step()
        outbox = PixelOutbox(self.env, pixel_id, jobs._delivery_cursor)
        sender = self._sender(pixel_id)
        step = send_batch(outbox, sender, jobs._now, chosen=event_ids)
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
        jobs = self.env["meta.capi.job"]
        try:
            with jobs._delivery_cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                if pixel_id:
                    env["meta.capi.pixel"]._get(pixel_id)._look_after_stop()
                else:
                    env["meta.capi.alert"]._look_after_all()
        except Exception as error:
            log_error("The managers could not be told what is wrong", error)

    # ------------------------------------------------------------- time, processes

    @api.model
    def _sleep(self, seconds):
        time.sleep(seconds)

    @api.model
    def _is_registry_outdated(self):
        """Take over what other processes changed: a token or a switch counts at once.

        :return: True where the registry itself was rebuilt; the next job gets the new one
        """
        return self.env.registry.check_signaling() is not self.env.registry
