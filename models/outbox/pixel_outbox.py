"""The statements of a delivery: a pixel's state, and the events that are its turn.

Like those of ``event_table``: all times are whole seconds.
"""

from psycopg2.extras import Json

from odoo.tools import SQL

from ...capi.client import count_to_fill, encode, take_batch
from ...capi.states import PENDING, SENT, Claimed, Doubt, History, Order, Pixel
from .carried import carriers
from .event_table import ANSWER, MAY_BE_COPIED, EventTable, is_value, to_datetime

# The columns that make up the event as Meta receives it, but for the time and what
# PostgreSQL gives as JSON already.
PAYLOAD = (
    "event_name",
    "event_id",
    "action_source",
    "event_source_url",
    "referrer_url",
    "opt_out",
    "data_processing_options",
    "data_processing_options_country",
    "data_processing_options_state",
    "customer_segmentation",
    "original_event_data",
    "app_data",
    "messaging_channel",
    "attribution_data",
)
_ORDERS = {
    Order.OLDEST: SQL("event_time, id"),
    Order.LEAST_TRIED: SQL("attempt_count, event_time DESC, id DESC"),
    Order.LONGEST_DUE: SQL("next_attempt_at, event_time DESC, id DESC"),
}


class PixelOutbox(EventTable):
    """The events of one pixel, for ``capi.delivery``, which tells what each method does.

    :param apart: opens a cursor that is committed by itself
    """

    def __init__(self, env, pixel_id, apart):
        super().__init__(env)
        self.pixel_id = pixel_id
        self._apart = apart

    # --------------------------------------------------------------------- the pixel

    def pixel(self):
        pixel = self._read_pixel(SQL(""))
        if pixel:
            return pixel
        # Several workers may see a pixel for the first time at once. Committed by itself,
        # the row does not make them wait for the request of the first one.
        with self._apart() as cr:
            cr.execute(
                SQL(
                    "INSERT INTO meta_capi_pixel (pixel_id, state, active, create_uid,"
                    " create_date, write_uid, write_date)"
                    " VALUES (%s, 'running', true, %s, now() AT TIME ZONE 'UTC', %s,"
                    " now() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING",
                    self.pixel_id,
                    self.env.uid,
                    self.env.uid,
                )
            )
        return Pixel()

    def lock_pixel(self):
        return self._read_pixel(SQL("FOR NO KEY UPDATE")) or Pixel()

    def _read_pixel(self, lock):
        times = ("stopped_at", "next_probe_at", "wait_until", "failing_since")
        self.cr.execute(
            SQL(
                "SELECT %s, state, trouble, clock_skew, doubt FROM meta_capi_pixel"
                " WHERE pixel_id = %s %s",
                SQL(", ").join(
                    SQL("extract(epoch FROM %s)::bigint", SQL.identifier(name))
                    for name in times
                ),
                self.pixel_id,
                lock,
            )
        )
        row = self.cr.fetchone()
        if not row:
            return None
        *moments, state, cause, clock_skew, doubt = row
        pixel = dict(zip(times, moments, strict=True))
        if state == "stopped":
            pixel["stopped_at"] = pixel["stopped_at"] or 0
        else:
            pixel["stopped_at"] = None
        return Pixel(
            **pixel,
            cause=cause,
            clock_skew=clock_skew or 0,
            doubt=self._read_doubt(doubt),
        )

    def _read_doubt(self, value):
        """Return the doubt, unless its event waits no longer."""
        if not value:
            return None
        doubt = Doubt(**value)
        self.cr.execute(
            SQL(
                "SELECT FROM meta_capi_event WHERE id = %s AND state = %s",
                doubt.event_id,
                PENDING,
            )
        )
        return doubt if self.cr.rowcount else None

    def take_probe(self, now):
        with self._apart() as cr:
            cr.execute(
                SQL(
                    "UPDATE meta_capi_pixel SET next_probe_at = %s + interval '1 hour'"
                    " WHERE pixel_id = %s AND state = 'stopped' AND next_probe_at <= %s",
                    to_datetime(now),
                    self.pixel_id,
                    to_datetime(now),
                )
            )
            return bool(cr.rowcount)

    def write_pixel(self, pixel, wake, now, answer=None):
        doubt = pixel.doubt
        values = {
            "state": "stopped" if pixel.is_stopped else "running",
            "stopped_at": to_datetime(pixel.stopped_at),
            "next_probe_at": to_datetime(pixel.next_probe_at),
            "wait_until": to_datetime(pixel.wait_until),
            "failing_since": to_datetime(pixel.failing_since),
            "trouble": pixel.cause,
            "clock_skew": pixel.clock_skew,
            "doubt": doubt
            and Json(
                {
                    "event_id": doubt.event_id,
                    "error_code": doubt.error_code,
                    "error_subcode": doubt.error_subcode,
                }
            ),
            "write_date": to_datetime(now),
        }
        for name in ("error_code", "error_subcode", "error_message", "fbtrace_id"):
            values[name] = getattr(answer, name) if pixel.cause and answer else None
        self.env["meta.capi.pixel"].invalidate_model()
        self.cr.execute(
            SQL(
                "UPDATE meta_capi_pixel SET %s WHERE pixel_id = %s",
                SQL(", ").join(
                    SQL("%s = %s", SQL.identifier(column), value)
                    for column, value in values.items()
                ),
                self.pixel_id,
            )
        )
        if wake:
            self._wake(wake, now)

    def _wake(self, wake, now):
        """Make waiting events due, by the rule of ``capi.states.is_woken``.

        A part of a batch under suspicion that waits failed while the pixel takes others
        now: it goes on in halves.
        """
        self.cr.execute(
            SQL(
                """
                WITH waiting AS (
                    SELECT id, event_time, isolation_part, unknown_count,
                           first_refusal_id, write_date
                      FROM meta_capi_event
                     WHERE state = 'pending' AND pixel_id = %(pixel_id)s
                       AND next_attempt_at > %(now)s
                       FOR NO KEY UPDATE SKIP LOCKED
                ), placed AS (
                    SELECT *,
                           count(*) OVER (PARTITION BY isolation_part) AS part_size,
                           row_number() OVER (
                               PARTITION BY isolation_part ORDER BY event_time, id
                           ) AS position
                      FROM waiting
                ), halved AS (
                    SELECT *, min(id) OVER (
                               PARTITION BY isolation_part,
                                            position > (part_size + 1) / 2
                           ) AS half
                      FROM placed
                )
                UPDATE meta_capi_event event
                   SET next_attempt_at = %(now)s,
                       isolation_part = CASE
                           WHEN %(everything)s OR halved.isolation_part IS NULL
                             OR part_size = 1
                           THEN halved.isolation_part ELSE half END
                  FROM halved
                 WHERE event.id = halved.id
                   AND (%(everything)s OR coalesce(halved.unknown_count, 0) = 0 AND (
                        halved.isolation_part IS NULL
                        OR part_size > 1
                        OR halved.first_refusal_id IS NOT NULL
                        OR halved.write_date > %(failing_since)s
                   ))
                RETURNING event.id
                """,
                pixel_id=self.pixel_id,
                now=to_datetime(now),
                everything=wake.everything,
                failing_since=to_datetime(wake.failing_since),
            )
        )
        self.env["meta.capi.event"].invalidate_model(flush=False)

    # --------------------------------------------------------------------- the claim

    def claim(self, plan, now, chosen):
        condition = self._claimable(now, chosen)
        batch = self._lock_batch(condition, plan, 1)
        is_full = False
        while batch and not is_full:
            sizes = [len(claimed.body) for claimed in batch]
            count = count_to_fill(sizes, plan.limit)
            if not count:
                is_full = True
                break
            with self.cr.savepoint(flush=False) as savepoint:
                found = self._lock_batch(condition, plan, count, joining=batch)
                sizes += (len(claimed.body) for claimed in found)
                fitting = found[: take_batch(sizes) - len(batch)]
                is_full = len(fitting) < len(found)
                if is_full:
                    # Nothing stays locked that is not sent.
                    savepoint.rollback()
                    found = fitting and self._lock_batch(
                        SQL("id = ANY(%s)", [claimed.id for claimed in fitting]),
                        plan,
                        len(fitting),
                        joining=batch,
                    )
            batch += found
            if len(found) < count:
                break
        if not batch:
            return [], False
        # Behind a full request there is nearly always another: looking for it takes
        # longer than to claim nothing once.
        return batch, is_full or self._is_any_left(condition, batch)

    def _is_any_left(self, condition, batch):
        self.cr.execute(
            SQL(
                "SELECT EXISTS (SELECT FROM meta_capi_event WHERE %s AND id <> ALL(%s))",
                condition,
                [claimed.id for claimed in batch],
            )
        )
        return self.cr.fetchone()[0]

    def _claimable(self, now, chosen):
        conditions = [SQL("state = 'pending'"), SQL("pixel_id = %s", self.pixel_id)]
        if chosen is not None:
            conditions.append(SQL("id = ANY(%s)", list(chosen)))
        else:
            conditions.append(SQL("next_attempt_at <= %s", to_datetime(now)))
        return SQL(" AND ").join(conditions)

    def _lock_batch(self, condition, plan, limit, joining=()):
        """Lock pending events that nobody else holds.

        ``FOR NO KEY UPDATE``, since ``FOR UPDATE`` would block the foreign key check of
        the attempt, which another transaction writes.

        :param joining: events claimed before, to go into the same request: the test event
            code and the part are theirs
        """
        if joining:
            condition = SQL(
                "%s AND %s AND %s AND id <> ALL(%s)",
                condition,
                is_value("test_event_code", joining[0].test_event_code),
                is_value("isolation_part", joining[0].isolation_part),
                [claimed.id for claimed in joining],
            )
        self.cr.execute(
            SQL(
                """
                SELECT id, %s, test_event_code, isolation_part, first_refusal_id,
                       coalesce(attempt_count, 0), coalesce(unknown_count, 0),
                       extract(epoch FROM event_time)::bigint,
                       user_data::text, custom_data::text, %s
                  FROM meta_capi_event
                 WHERE %s
                 ORDER BY %s
                 LIMIT %s
                   FOR NO KEY UPDATE SKIP LOCKED
                """,
                MAY_BE_COPIED,
                SQL(", ".join(PAYLOAD)),
                condition,
                _ORDERS[plan.order],
                limit,
            )
        )
        rows = self.cr.fetchall()
        suspects = [
            event_id for event_id, may_be_copied, *_rest in rows if may_be_copied
        ]
        copies = self.first_copies(suspects) if suspects else {}
        return [
            _to_claimed(event_id, copies.get(event_id), *row)
            for event_id, _may_be_copied, *row in rows
        ]

    # ------------------------------------------------------------------- the request

    def announce(self, batch, now):
        with self._apart() as cr:
            attempts = self.env["meta.capi.attempt"].with_env(self.env(cr=cr))
            ids = [claimed.id for claimed in batch]
            return attempts._begin(self.pixel_id, ids, to_datetime(now)).id

    def complete(self, attempt_id, answer):
        self.env["meta.capi.attempt"].browse(attempt_id)._complete(answer)

    def history(self, event, attempt_id):
        self.cr.execute(
            SQL(
                """
                SELECT id, extract(epoch FROM started_at)::bigint
                  FROM meta_capi_attempt
                 WHERE pixel_id = %s AND outcome = 'accepted' AND id < %s
                 ORDER BY id DESC
                 LIMIT 1
                """,
                self.pixel_id,
                attempt_id,
            )
        )
        accepted_id, accepted_at = self.cr.fetchone() or (None, 0)
        self.cr.execute(
            SQL(
                """
                SELECT min(attempt.id)
                  FROM (%s) carrier
                  JOIN meta_capi_attempt attempt ON attempt.id = carrier.attempt_id
                 WHERE attempt.event_count = 1
                   AND attempt.outcome = 'ambiguous'
                   AND attempt.id >= %s AND attempt.id < %s
                """,
                carriers([event.id]),
                event.first_refusal_id,
                attempt_id,
            )
        )
        return History(accepted_id, accepted_at, self.cr.fetchone()[0])

    def settle(self, changes, answer, now, attempt_id=0):
        for change in changes:
            values = {
                "failure_reason": change.failure_reason,
                "cause": change.cause,
                "next_attempt_at": to_datetime(change.next_attempt_at),
                "isolation_part": change.isolation_part,
                "first_refusal_id": change.first_refusal_id,
                # When it was tried last.
                "write_date": to_datetime(now),
            }
            if attempt_id:
                values["carried_by"] = SQL("array_append(carried_by, %s)", attempt_id)
            if change.counts:
                values["attempt_count"] = SQL("coalesce(attempt_count, 0) + 1")
            if change.is_unknown:
                values["unknown_count"] = SQL("coalesce(unknown_count, 0) + 1")
            if change.state == SENT:
                values["sent_at"] = to_datetime(now)
            if answer:
                values.update({name: getattr(answer, name) for name in ANSWER})
            self.transition(change.ids, change.state, **values)


def _to_claimed(
    event_id,
    first_copy_at,
    test_event_code,
    isolation_part,
    first_refusal_id,
    attempt_count,
    unknown_count,
    event_time,
    user_data,
    custom_data,
    *payload,
):
    event = {
        name: value
        for name, value in zip(PAYLOAD, payload, strict=True)
        if value is not None
    }
    event["event_time"] = event_time
    return Claimed(
        id=event_id,
        event_time=event_time,
        action_source=event.get("action_source"),
        attempt_count=attempt_count,
        unknown_count=unknown_count,
        isolation_part=isolation_part,
        first_refusal_id=first_refusal_id,
        first_copy_at=first_copy_at,
        test_event_code=test_event_code,
        body=encode(event, user_data=user_data, custom_data=custom_data),
    )
