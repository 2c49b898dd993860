import contextlib
import logging
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.modules import module
from odoo.tools import SQL, groupby

from ..capi import const
from ..capi.answer import Answer, Outcome
from ..capi.client import encode, take_batch
from ..capi.errors import InvalidParameter
from ..capi.schedule import (
    MAX_UNKNOWN_ATTEMPTS,
    SHORT_RETRY,
    closes_at,
    retry_delay,
    window_closes_at,
)

# The name admins are told to look for, whatever the database.
_logger = logging.getLogger("meta.conversions.api")

# Seconds a job goes on sending. limit_time_real kills at 120 by default, and one last
# request with its retries still has to fit.
MAX_SECONDS = 30
# Jobs of one pixel that wait at once: one whose time is ahead, and others already on
# their way. More would add nothing, so they do not pile up where no jobrunner runs.
JOB_SLOTS = 2
# Seconds a job must still be ahead for a transaction to leave its events to it.
JOIN_MARGIN = 1
# Seconds after which a job that nobody started tells that no jobrunner is there.
RUNNER_ABSENT_AFTER = 60

# The columns of meta.capi.event that make up the event as Meta receives it, but for the
# time and what PostgreSQL gives as JSON already.
_PAYLOAD = (
    "event_name",
    "event_id",
    "action_source",
    "event_source_url",
    "referrer_url",
    "opt_out",
    "data_processing_options",
    "data_processing_options_country",
    "data_processing_options_state",
)


@dataclass(frozen=True)
class Claimed:
    """A pending event, locked, and encoded as it goes out."""

    id: int
    test_event_code: str | None
    isolation_part: int | None
    attempt_count: int
    browser_twin: bool
    event_time: int
    action_source: str
    encoded: bytes


@dataclass(frozen=True)
class Step:
    """What one short transaction did, for the loop around it."""

    # Events that Meta took.
    sent: int = 0
    # More may be due right now.
    more: bool = False
    # Seconds until the events of this step are due again, None: not by themselves.
    retry_in: float | None = None
    answer: Answer | None = None


class MetaCapiDelivery(models.AbstractModel):
    """From pending events to Meta's answer on each of them.

    A delivery is a loop over short transactions, each on a cursor of its own: lock due
    events, send one request, write what became of them, commit. The cursor is READ
    COMMITTED: under REPEATABLE READ, the job's own level, a second worker fails on rows
    that the first one has just committed, and takes back what Meta already has. The
    lock dies with its worker, so no event is left claimed.

    The request is announced by a ``meta.capi.attempt``, committed before it leaves:
    whatever happens to this process, the log tells that Meta may have the events.

    ``queue_job`` brings the loop to life soon after events are committed; the sweep, a
    cron, finds what no job came for, and does the work itself where no jobrunner runs.
    """

    _name = "meta.capi.delivery"
    _description = "Delivery of events to Meta"

    # ---------------------------------------------------------------- jobs and sweep

    @api.model
    def _schedule(self, pixel_id, delay=None):
        """Have the pending events of ``pixel_id`` delivered after this transaction.

        A job whose time is still ahead serves this transaction too. One that is about
        to start does not: it may look before we commit. Transactions that cannot see
        each other's job yet would each add one; the advisory locks keep that to
        ``JOB_SLOTS``. What falls through is found by the sweep.

        :param delay: seconds, by default those of the configuration
        """
        if delay is None:
            delay = self.env["meta.capi.config"]._batch_delay()
        keys = self._job_keys(pixel_id)
        margin = min(JOIN_MARGIN, delay / 2)
        # A visible job that is younger than this transaction is its own. queue_job
        # keeps whole seconds.
        self.env.cr.execute(
            SQL(
                """
                SELECT identity_key,
                       state = 'pending' AND (
                           eta > %s
                           OR date_created >= date_trunc('second', now() AT TIME ZONE 'UTC')
                       )
                  FROM queue_job
                 WHERE identity_key IN %s
                   AND state IN ('pending', 'enqueued')
                """,
                fields.Datetime.now() + timedelta(seconds=margin),
                tuple(keys),
            )
        )
        waiting = dict(self.env.cr.fetchall())
        if any(waiting.values()):
            return
        for key in keys:
            if key not in waiting and self._try_lock(key):
                # The jobs run as superuser: whoever records an event may do nothing
                # with it.
                self.with_user(SUPERUSER_ID).with_delay(
                    eta=delay, identity_key=key
                )._deliver(pixel_id)
                return

    @api.model
    def _job_keys(self, pixel_id):
        return [f"meta_capi.deliver:{pixel_id}:{slot}" for slot in range(JOB_SLOTS)]

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
        with self._delivery_cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env["meta.capi.event"]._expire_overdue()
        for pixel_id in self._due_pixel_ids():
            if not self._is_runner_absent(pixel_id):
                self._schedule(pixel_id, delay=0)
                continue
            try:
                self._deliver(pixel_id)
            except Exception:
                # The border: one pixel's trouble must not keep the others waiting.
                _logger.exception("Pixel %s could not be delivered to", pixel_id)
        try:
            with self._delivery_cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                env["meta.capi.pixel"]._look_after_alerts()
        except Exception:
            # What was scheduled above must not be taken back for want of a notice.
            _logger.exception("The managers could not be told what is wrong")

    @api.model
    def _due_pixel_ids(self):
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """
                SELECT DISTINCT event.pixel_id
                  FROM meta_capi_event event
                  LEFT JOIN meta_capi_pixel pixel USING (pixel_id)
                 WHERE event.state = 'pending'
                   AND event.next_attempt_at <= %s
                   AND coalesce(pixel.wait_until, event.next_attempt_at) <= %s
                   AND coalesce(pixel.next_probe_at, event.next_attempt_at) <= %s
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

    # --------------------------------------------------------------------- the loop

    @api.model
    def _deliver(self, pixel_id):
        """Send pending events to Meta"""
        deadline = time.monotonic() + MAX_SECONDS
        sent = 0
        step = Step(more=True)
        while step.more:
            if time.monotonic() > deadline or self._is_registry_outdated():
                self._schedule(pixel_id, delay=0)
                break
            step = SHORT_RETRY.copy()(self._deliver_batch, pixel_id)
            sent += step.sent
        return _("Events sent to Meta: %(count)s.", count=sent)

    @api.model
    def _is_registry_outdated(self):
        """Take over what other processes changed: a token or a switch counts at once.

        :return: True where the registry itself was rebuilt; the next job gets the new one
        """
        registry = self.env.registry
        return not _is_test() and registry.check_signaling() is not registry

    @api.model
    def _deliver_batch(self, pixel_id, event_ids=None):
        """Send one request, in a transaction of its own.

        :param event_ids: what a person chose to send now, due or not
        :return: a :class:`Step`
        """
        with self._delivery_cursor() as cr:
            delivery = self.with_env(api.Environment(cr, SUPERUSER_ID, {}))
            return delivery._deliver_due(pixel_id, event_ids)

    @contextlib.contextmanager
    def _delivery_cursor(self):
        """Open a READ COMMITTED cursor, committed at the end.

        A test's own rows are visible to the test's cursor only, so there it is that one.
        """
        if _is_test():
            self.env.flush_all()
            yield self.env.cr
            self.env.flush_all()
            self.env.invalidate_all()
            return
        with self.env.registry.cursor() as cr:
            # The cursor of a request that a test serves is inside a transaction.
            if cr.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE:
                cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            yield cr

    def _deliver_due(self, pixel_id, event_ids):
        config = self.env["meta.capi.config"]
        if not config._is_enabled():
            return Step()
        pixel = self.env["meta.capi.pixel"]._get(pixel_id)
        # A person's click is answered by Meta, whatever we think of the pixel.
        limit = const.MAX_EVENTS if event_ids else pixel._batch_limit()
        batch, more = limit and self._claim(pixel, limit, event_ids) or ([], False)
        if not batch:
            return Step()
        sendable = self._expire(batch)
        if not sendable:
            return Step(more=True)
        token = config._access_token(pixel_id)
        if not token:
            pixel._stop(_("No access token is set for this pixel."))
            return Step()
        try:
            client = config._graph_client()
        except InvalidParameter as error:
            pixel._stop(str(error))
            return Step()
        attempt_id = self._announce(pixel_id, sendable)
        answer = client.send_events(
            pixel_id,
            token,
            [claimed.encoded for claimed in sendable],
            sendable[0].test_event_code,
        )
        return self._settle(pixel, sendable, answer, attempt_id, more)

    # -------------------------------------------------------------------- the claim

    def _claim(self, pixel, limit, event_ids):
        """Lock the oldest due events that go into one request, and encode them.

        Those of one test event code, and of one part of a batch under isolation.
        Nothing stays locked that is not sent.

        :return: the claimed events, and whether due ones were left out
        """
        pixel_id = pixel.pixel_id
        newest_first = not event_ids and pixel._wants_witness()
        batch = self._lock(pixel_id, 1, event_ids=event_ids, newest_first=newest_first)
        while batch and (count := _count_to_fill(batch, limit)):
            with self.env.cr.savepoint(flush=False) as savepoint:
                found = self._lock(
                    pixel_id,
                    count,
                    event_ids=event_ids,
                    newest_first=newest_first,
                    joining=batch,
                )
                sizes = (len(claimed.encoded) for claimed in (*batch, *found))
                fitting = found[: take_batch(sizes) - len(batch)]
                if len(fitting) < len(found):
                    savepoint.rollback()
                    found = self._lock(
                        pixel_id,
                        len(fitting),
                        event_ids=[claimed.id for claimed in fitting],
                        joining=batch,
                    )
            batch += found
            if len(found) < count:
                break
        return batch, bool(batch) and self._is_any_left(pixel_id, event_ids, batch)

    def _is_any_left(self, pixel_id, event_ids, batch):
        """Tell whether events were due, next to those of ``batch``."""
        self.env.cr.execute(
            SQL(
                "SELECT EXISTS (SELECT FROM meta_capi_event WHERE %s AND id <> ALL(%s))",
                self._claimable(pixel_id, event_ids),
                [claimed.id for claimed in batch],
            )
        )
        return self.env.cr.fetchone()[0]

    def _claimable(self, pixel_id, event_ids):
        conditions = [SQL("state = 'pending'"), SQL("pixel_id = %s", pixel_id)]
        if event_ids is None:
            conditions.append(SQL("next_attempt_at <= %s", fields.Datetime.now()))
        else:
            conditions.append(SQL("id = ANY(%s)", list(event_ids)))
        return SQL(" AND ").join(conditions)

    def _lock(self, pixel_id, limit, *, event_ids=None, newest_first=False, joining=()):
        """Lock pending events that nobody else holds, oldest first.

        ``FOR NO KEY UPDATE``, since ``FOR UPDATE`` would block the foreign key check of
        the attempt, which another transaction writes.

        :param event_ids: these, due or not; else all due ones
        :param joining: events claimed before, to go into the same request: the test event
            code and the part are theirs
        """
        condition = self._claimable(pixel_id, event_ids)
        if joining:
            condition = SQL(
                "%s AND %s AND %s AND id <> ALL(%s)",
                condition,
                _is("test_event_code", joining[0].test_event_code),
                _is("isolation_part", joining[0].isolation_part),
                [claimed.id for claimed in joining],
            )
        self.env.cr.execute(
            SQL(
                """
                SELECT id, test_event_code, isolation_part, attempt_count, browser_twin,
                       extract(epoch FROM event_time)::bigint,
                       user_data::text, custom_data::text, %s
                  FROM meta_capi_event
                 WHERE %s
                 ORDER BY %s
                 LIMIT %s
                   FOR NO KEY UPDATE SKIP LOCKED
                """,
                SQL(", ").join(map(SQL.identifier, _PAYLOAD)),
                condition,
                SQL("event_time DESC, id DESC" if newest_first else "event_time, id"),
                limit,
            )
        )
        return [_to_claimed(*row) for row in self.env.cr.fetchall()]

    def _expire(self, batch):
        """Fail the events whose time has passed and return the others."""
        now = time.time()
        arrivals = self._first_arrivals([claimed.id for claimed in batch])
        late, twice, sendable = [], [], []
        for claimed in batch:
            closes = closes_at(
                claimed.event_time,
                claimed.action_source,
                arrived_at=arrivals.get(claimed.id),
                browser_twin=claimed.browser_twin,
            )
            if now < closes:
                sendable.append(claimed)
            elif now < window_closes_at(claimed.event_time, claimed.action_source):
                twice.append(claimed.id)
            else:
                late.append(claimed.id)
        # Even a word costs, in a new transaction: it reads the user's language.
        events = self.env["meta.capi.event"]
        if late:
            events._expire(late, _("Meta takes no event this old; it was not sent."))
        if twice:
            events._expire(
                twice,
                _(
                    "Meta may have a copy from more than 48 hours ago and would count"
                    " another one again; it was not sent."
                ),
            )
        return sendable

    @api.model
    def _first_arrivals(self, event_ids):
        """Return the Unix time of the first copy of each event that Meta may have.

        A request that was announced and has no outcome counts: its process died. So
        does a Purchase whose id the browser's Pixel was given, however much later the
        order was confirmed.
        """
        self.env.cr.execute(
            SQL(
                """
                SELECT event_id, extract(epoch FROM min(arrived_at))::bigint
                  FROM (
                    SELECT rel.event_id, attempt.started_at AS arrived_at
                      FROM meta_capi_attempt_event_rel rel
                      JOIN meta_capi_attempt attempt ON attempt.id = rel.attempt_id
                     WHERE rel.event_id = ANY(%s) AND attempt.arrived
                     UNION ALL
                    SELECT event.id, browser.purchase_sent_at
                      FROM meta_capi_event event
                      JOIN meta_capi_browser browser USING (res_model, res_id)
                     WHERE event.id = ANY(%s) AND event.event_name = 'Purchase'
                       AND browser.purchase_sent_at IS NOT NULL
                  ) copy
                 GROUP BY event_id
                """,
                event_ids,
                event_ids,
            )
        )
        return dict(self.env.cr.fetchall())

    # ------------------------------------------------------------------ the outcome

    def _announce(self, pixel_id, batch):
        """Commit, before it leaves, that a request with these events was begun."""
        with self._delivery_cursor() as cr:
            attempts = self.env["meta.capi.attempt"].with_env(
                api.Environment(cr, SUPERUSER_ID, {})
            )
            return attempts._begin(pixel_id, [claimed.id for claimed in batch]).id

    def _settle(self, pixel, batch, answer, attempt_id, more):
        """Write what Meta's answer means on the attempt, the events and the pixel.

        :param more: due events were left out of the batch
        """
        self.env["meta.capi.attempt"].browse(attempt_id)._complete(answer)
        if answer.outcome is not Outcome.ACCEPTED:
            _logger.warning(
                "Pixel %s: %d events not accepted (%s), HTTP %s, code %s/%s, trace %s: %s",
                pixel.pixel_id,
                len(batch),
                answer.outcome.value,
                answer.http_status,
                answer.error_code,
                answer.error_subcode,
                answer.fbtrace_id,
                answer.error_message,
            )
        settle = getattr(self, f"_settle_{answer.outcome.value}")
        return settle(pixel, batch, answer, attempt_id, more)

    def _settle_accepted(self, pixel, batch, answer, attempt_id, more):
        events = self.env["meta.capi.event"]
        ids = [claimed.id for claimed in batch]
        events._settle(
            ids,
            answer,
            state="sent",
            failure_reason=None,
            sent_at=fields.Datetime.now(),
            next_attempt_at=None,
            isolation_part=None,
        )
        if pixel._is_troubled():
            # What waited for a better time waits no longer.
            pixel._set_running()
            events._make_due(pixel.pixel_id)
            more = True
        if answer.slow_down:
            pixel._wait(answer.slow_down)
        return Step(sent=len(ids), more=more, answer=answer)

    def _settle_transient(self, pixel, batch, answer, attempt_id, more):
        """Try again later: seconds first, then hours, until the window closes."""
        if not pixel.failing_since:
            pixel.failing_since = fields.Datetime.now()
        now = fields.Datetime.now()
        soonest = None
        for attempt_count, group in _group_by_attempts(batch):
            delay = max(retry_delay(attempt_count + 1), answer.wait or 0)
            soonest = min(soonest or delay, delay)
            self.env["meta.capi.event"]._settle(
                [claimed.id for claimed in group],
                answer,
                next_attempt_at=now + timedelta(seconds=delay),
            )
        return Step(retry_in=soonest, answer=answer)

    def _settle_unknown(self, pixel, batch, answer, attempt_id, more):
        """Like a transient answer, but a few times only."""
        often = self._attempts_with([claimed.id for claimed in batch], Outcome.UNKNOWN)
        exhausted = {
            event_id
            for event_id, times in often.items()
            if times >= MAX_UNKNOWN_ATTEMPTS
        }
        self.env["meta.capi.event"]._fail(list(exhausted), answer, "exhausted")
        remaining = [claimed for claimed in batch if claimed.id not in exhausted]
        return self._settle_transient(pixel, remaining, answer, attempt_id, more)

    def _settle_throttled(self, pixel, batch, answer, attempt_id, more):
        """Send nothing to this pixel for as long as Meta asks."""
        delay = answer.wait or retry_delay(1 + max(c.attempt_count for c in batch))
        pixel._wait(delay)
        self.env["meta.capi.event"]._settle(
            [claimed.id for claimed in batch],
            answer,
            next_attempt_at=pixel.wait_until,
        )
        return Step(answer=answer)

    def _settle_stopped(self, pixel, batch, answer, attempt_id, more):
        """Hold the pixel's events: the cause is not in them."""
        pixel._stop(
            answer.error_message,
            code=answer.error_code,
            subcode=answer.error_subcode,
            fbtrace_id=answer.fbtrace_id,
        )
        self.env["meta.capi.event"]._settle([claimed.id for claimed in batch], answer)
        return Step(answer=answer)

    def _settle_refused(self, pixel, batch, answer, attempt_id, more):
        """Find the event that Meta refuses; all others of the batch are to be sent."""
        if pixel.state == "stopped":
            # Meta looked at the events: token and permission are in order again.
            pixel._set_running()
        if len(batch) > 1:
            self._isolate(batch, attempt_id)
        else:
            self.env["meta.capi.event"]._fail([batch[0].id], answer, "invalid")
        return Step(more=True, answer=answer)

    def _settle_ambiguous(self, pixel, batch, answer, attempt_id, more):
        """Tell a bad event from a bad configuration.

        Two single events refused alike, with nothing accepted in between, speak of the
        pixel; the second one is taken from the far end of the queue. An event that is
        refused again after another was accepted speaks of itself.
        """
        self._isolate(batch, attempt_id)
        if len(batch) > 1:
            return Step(more=True, answer=answer)
        (claimed,) = batch
        refusals = self._refusals_alone(pixel.pixel_id)
        mine = refusals.pop(claimed.id)
        if any(mine) or len(mine) >= MAX_UNKNOWN_ATTEMPTS:
            self.env["meta.capi.event"]._fail([claimed.id], answer, "invalid")
            return Step(more=True, answer=answer)
        if any(not all(others) for others in refusals.values()):
            return self._settle_stopped(pixel, batch, answer, attempt_id, more)
        pixel.witness_wanted = True
        step = self._settle_transient(pixel, batch, answer, attempt_id, more)
        # No nap: the witness comes first.
        return Step(more=True, answer=step.answer)

    def _refusals_alone(self, pixel_id):
        """Return the requests with a single event that were refused without a reason.

        :return: for each event still pending, a list that tells of each of its refusals
            whether the pixel has accepted a request since
        """
        self.env.cr.execute(
            SQL(
                """
                SELECT rel.event_id, attempt.id < coalesce((
                           SELECT max(id) FROM meta_capi_attempt
                            WHERE pixel_id = %s AND outcome = 'accepted'
                       ), 0)
                  FROM meta_capi_event event
                  JOIN meta_capi_attempt_event_rel rel ON rel.event_id = event.id
                  JOIN meta_capi_attempt attempt ON attempt.id = rel.attempt_id
                 WHERE event.state = 'pending'
                   AND event.pixel_id = %s
                   AND event.isolation_part IS NOT NULL
                   AND attempt.event_count = 1
                   AND attempt.outcome = 'ambiguous'
                """,
                pixel_id,
                pixel_id,
            )
        )
        refusals = {}
        for event_id, accepted_since in self.env.cr.fetchall():
            refusals.setdefault(event_id, []).append(accepted_since)
        return refusals

    def _isolate(self, batch, attempt_id):
        """Halve a refused batch; from now on the halves travel apart.

        The mark is on the rows, so that a worker that dies takes no knowledge along.
        """
        middle = (len(batch) + 1) // 2
        for half, part in enumerate((batch[:middle], batch[middle:])):
            self.env["meta.capi.event"]._update(
                [claimed.id for claimed in part],
                # One event alone is counted by whoever settles it.
                attempt_count=SQL("attempt_count + %s", int(len(batch) > 1)),
                # Unique as the attempt is, and never 0.
                isolation_part=2 * attempt_id + half,
            )

    def _attempts_with(self, event_ids, outcome):
        """Return how many attempts of each event had this outcome."""
        self.env.cr.execute(
            SQL(
                """
                SELECT rel.event_id, count(*)
                  FROM meta_capi_attempt_event_rel rel
                  JOIN meta_capi_attempt attempt ON attempt.id = rel.attempt_id
                 WHERE rel.event_id = ANY(%s) AND attempt.outcome = %s
                 GROUP BY rel.event_id
                """,
                event_ids,
                outcome.value,
            )
        )
        return dict(self.env.cr.fetchall())


def _is_test():
    """Tell whether Odoo is running tests: it says so in two ways, by series."""
    thread = threading.current_thread()
    return bool(module.current_test or getattr(thread, "testing", False))


def _group_by_attempts(batch):
    return groupby(batch, lambda claimed: claimed.attempt_count)


def _to_claimed(
    event_id,
    test_event_code,
    isolation_part,
    attempt_count,
    browser_twin,
    event_time,
    user_data,
    custom_data,
    *payload,
):
    event = dict(zip(_PAYLOAD, payload, strict=True), event_time=event_time)
    return Claimed(
        id=event_id,
        test_event_code=test_event_code,
        isolation_part=isolation_part,
        attempt_count=attempt_count or 0,
        browser_twin=bool(browser_twin),
        event_time=event_time,
        action_source=event["action_source"],
        encoded=encode(
            {name: value for name, value in event.items() if value is not None},
            user_data=user_data,
            custom_data=custom_data,
        ),
    )


def _is(column, value):
    """Return the condition in a form whose share of the rows PostgreSQL can estimate.

    Of an expression it believes in so few that it would sort all that is pending.
    """
    if value is None:
        return SQL("%s IS NULL", SQL.identifier(column))
    return SQL("%s = %s", SQL.identifier(column), value)


def _count_to_fill(batch, limit):
    """Return how many events to lock next, so that they probably fit the request.

    Those of ``batch`` tell how large they are; one alone tells little, so that half of
    what may fit follows first. What does not fit is read in vain.
    """
    used = sum(len(claimed.encoded) for claimed in batch)
    fitting = (const.MAX_BYTES - used) * len(batch) // used
    count = (fitting + 1) // 2 if len(batch) == 1 else fitting - fitting * 3 // 100
    count = min(count, limit - len(batch))
    # The last few are not worth a query.
    return count if count > len(batch) // 32 else 0
