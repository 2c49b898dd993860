"""Every statement that writes or locks ``meta_capi_event``, but for those of a delivery,
which are in ``pixel_outbox``.

The ORM can neither lock with SKIP LOCKED nor insert with ON CONFLICT, and it writes row
by row what one statement does for a batch. All times are whole seconds.
"""

import logging
from datetime import datetime, timezone

from psycopg2.extras import Json

from odoo.tools import SQL

from ...capi.schedule import window_closes_at
from ...capi.states import (
    CANCELLED,
    EXPIRED,
    FAILED,
    INVALID,
    PENDING,
    TRANSITIONS,
)
from .carried import UNDECIDED, carriers

_logger = logging.getLogger("meta.conversions.api")

_JSON = (
    "user_data",
    "custom_data",
    "data_processing_options",
    "original_event_data",
    "app_data",
    "attribution_data",
)
# What one answer of Meta leaves on an event.
ANSWER = ("http_status", "fbtrace_id", "error_code", "error_subcode", "error_message")
# Whether ``first_copies`` may find any of an event: whatever is added there is added here.
MAY_BE_COPIED = SQL(
    "carried_by IS NOT NULL OR browser_twin OR id IN (%s)"
    " OR event_name = 'Purchase' AND res_id IS NOT NULL",
    UNDECIDED,
)
# What is written on an event whose person is to be forgotten.
FORGOTTEN_COLUMNS = {
    "user_data": Json({}),
    "event_source_url": None,
    "referrer_url": None,
    "app_data": None,
    "attribution_data": None,
    "partner_id": None,
}


def to_datetime(seconds):
    """Return a Unix time as the ORM and the columns keep it, None for None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)


class EventTable:
    """The table of events, in the transaction of ``env``."""

    def __init__(self, env):
        self.env = env
        self.cr = env.cr

    # --------------------------------------------------------------------- recording

    def insert(self, rows_json, columns):
        """Insert rows; return the new ids by key.

        A key that exists is passed over, and so is what has happened once to a record
        and whose row was purged. ``OFFSET 0`` has PostgreSQL look for each row by the
        index: it takes the JSON for 100 rows, and would read the whole table for them.

        :param rows_json: the rows as one JSON text: as parameters, thousands of rows
            take longer than all the rest
        :param columns: the columns that are not null in all rows
        """
        # As one text: an object for each name takes Odoo 17 as long as a statement.
        names = SQL(", ".join(columns))
        self.cr.execute(
            SQL(
                """
                INSERT INTO meta_capi_event (%s)
                SELECT %s
                  FROM json_populate_recordset(NULL::meta_capi_event, %s) AS event
                 WHERE NOT EXISTS (
                    SELECT FROM meta_capi_once once
                     WHERE once.event_name = event.event_name
                       AND once.event_id = event.event_id
                    OFFSET 0
                 )
                    ON CONFLICT (pixel_id, event_name, event_id) DO NOTHING
                RETURNING id, pixel_id, event_name, event_id
                """,
                names,
                names,
                rows_json,
            ),
            log_exceptions=False,
        )
        return {tuple(key): event_id for event_id, *key in self.cr.fetchall()}

    def find(self, key):
        """Return the id of the event with this key, None if there is none."""
        self.cr.execute(SQL("SELECT id FROM meta_capi_event WHERE %s", _key_is(key)))
        return (self.cr.fetchone() or (None,))[0]

    def lock_replaceable(self, event_id, by_browser):
        """Lock an event that a new report of it may replace; tell whether it is one.

        One that was invalid; and one that only a browser has told of and that Meta
        cannot have, where the server itself tells of it now.
        """
        self.cr.execute(
            SQL(
                """
                SELECT id FROM meta_capi_event
                 WHERE id = %s
                   AND (failure_reason = %s OR (
                        NOT %s AND state = %s AND is_from_browser
                        AND carried_by IS NULL AND id NOT IN (%s)
                   ))
                   FOR NO KEY UPDATE SKIP LOCKED
                """,
                event_id,
                INVALID,
                by_browser,
                PENDING,
                UNDECIDED,
            )
        )
        return bool(self.cr.rowcount)

    def replace(self, event_id, row):
        """Write all columns of an event that was locked as replaceable."""
        values = {
            column: Json(value) if column in _JSON and value is not None else value
            for column, value in row.items()
        }
        self.set_values([event_id], **values)

    def pixel_of_natural(self, model, res_id, event_name, event_id, pixel_id):
        """Return the pixel whose log has the one event of its name about a record.

        :param pixel_id: the pixel it would go to now; a row of it comes first
        """
        self.cr.execute(
            SQL(
                """
                SELECT pixel_id FROM meta_capi_event
                 WHERE res_model = %s AND res_id = %s AND event_name = %s
                   AND event_id = %s AND is_copy IS NOT TRUE
                 ORDER BY pixel_id <> %s, id
                 LIMIT 1
                """,
                model,
                res_id,
                event_name,
                event_id,
                pixel_id,
            )
        )
        return (self.cr.fetchone() or (None,))[0]

    def take_over(self, record, others):
        """Let events about records that are merged into another be about that one.

        Whoever merges does not wait for Meta: one that is being sent stays as it is.
        """
        self.cr.execute(
            SQL(
                "UPDATE meta_capi_event SET res_id = %s WHERE id IN ("
                " SELECT id FROM meta_capi_event WHERE res_model = %s AND res_id IN %s"
                " FOR NO KEY UPDATE SKIP LOCKED)",
                record.id,
                record._name,
                tuple(others.ids),
            )
        )
        self.env["meta.capi.event"].invalidate_model(["res_id"], flush=False)

    def names_once(self, happened):
        """Return the names of what has happened once and left the log since.

        :param happened: pairs of a name and an id
        """
        happened = tuple(happened)
        if not happened:
            return set()
        self.cr.execute(
            SQL(
                "SELECT event_name FROM meta_capi_once"
                " WHERE (event_name, event_id) IN %s",
                happened,
            )
        )
        return {name for (name,) in self.cr.fetchall()}

    def note_once(self, happened):
        """Remember what has happened once, without an event: none is recorded any more.

        :param happened: pairs of a name and an id
        """
        for name, event_id in happened:
            self.cr.execute(
                SQL(
                    "INSERT INTO meta_capi_once (event_name, event_id) VALUES (%s, %s)"
                    " ON CONFLICT DO NOTHING",
                    name,
                    event_id,
                )
            )

    def note_twins(self, pixel_id, sent):
        """Note that the browser's Pixel has sent what is pending of these events.

        What is being delivered at this moment is not waited for.

        :param sent: pairs of a name and an id
        """
        self.cr.execute(
            SQL(
                "SELECT id FROM meta_capi_event WHERE pixel_id = %s"
                " AND (event_name, event_id) IN %s AND state = %s"
                " FOR NO KEY UPDATE SKIP LOCKED",
                pixel_id,
                tuple(sent),
                PENDING,
            )
        )
        ids = [event_id for (event_id,) in self.cr.fetchall()]
        self.set_values(ids, browser_twin=True)

    # ------------------------------------------------------------------- transitions

    def lock(self, event_ids, *states):
        """Return the ids of those in one of these states that nobody else holds."""
        self.cr.execute(
            SQL(
                "SELECT id FROM meta_capi_event WHERE id = ANY(%s) AND state = ANY(%s)"
                " FOR NO KEY UPDATE SKIP LOCKED",
                list(event_ids),
                list(states),
            )
        )
        return [event_id for (event_id,) in self.cr.fetchall()]

    def lock_of_visitor(self, fbp, fbc, partner_id):
        """Lock what is still to be sent, or could be retried, about a visitor.

        :param fbp: of the browser; an event without it is not the browser's
        :param partner_id: the customer who is logged in, or None
        :return: the ids
        """
        ids = set()
        # Each condition has an index of its own.
        for condition in (
            SQL("user_data ->> 'fbp' = %s", fbp),
            SQL("user_data ->> 'fbc' = %s", fbc),
            SQL("partner_id = %s AND action_source = 'website'", partner_id),
        ):
            self.cr.execute(
                SQL(
                    "SELECT id FROM meta_capi_event"
                    " WHERE state IN ('pending', 'failed') AND %s"
                    " FOR NO KEY UPDATE SKIP LOCKED",
                    condition,
                )
            )
            ids.update(event_id for (event_id,) in self.cr.fetchall())
        return sorted(ids)

    def transition(self, event_ids, state, **values):
        """Take events to a state, from those alone that may precede it.

        :param values: further columns; an ``SQL`` is taken as an expression
        :return: the ids of the events that were taken there
        """
        done = self.set_values(
            event_ids,
            SQL("state = ANY(%s)", sorted(TRANSITIONS[state])),
            state=state,
            **values,
        )
        if len(done) < len(set(event_ids)):
            _logger.error(
                "Events %s are in no state from which they can become %s: left as they"
                " are",
                sorted(set(event_ids) - set(done)),
                state,
            )
        return done

    def cancel(self, event_ids, cause, message, **values):
        """Take events out for good."""
        return self.transition(
            event_ids,
            CANCELLED,
            failure_reason=None,
            cause=cause,
            error_message=message,
            next_attempt_at=None,
            isolation_part=None,
            **values,
        )

    def refuse(self, event_ids, refusal):
        """Cancel events because their person may not be told of, and forget it."""
        if event_ids:
            self.cancel(event_ids, *refusal, **FORGOTTEN_COLUMNS)

    def retry(self, event_ids, now):
        """Make failed events pending and due; what was said of them counts no more."""
        # Of a pending event they would tell why it waits. The requests keep them.
        return self.transition(
            event_ids,
            PENDING,
            failure_reason=None,
            cause=None,
            attempt_count=0,
            unknown_count=0,
            isolation_part=None,
            first_refusal_id=None,
            next_attempt_at=to_datetime(now),
            **dict.fromkeys(ANSWER),
        )

    def movable(self, event_ids, pixel_id, lock=False):
        """Return the ids of those that another pixel can have without counting twice.

        They wait, no request that may have arrived has carried them, they are no copies
        of what goes there anyway, and the pixel has none of the same name and id.

        :param lock: lock them, but for those that somebody else holds
        """
        self.cr.execute(
            SQL(
                """
                SELECT id
                  FROM meta_capi_event event
                 WHERE id = ANY(%s) AND state = %s AND is_copy IS NOT TRUE
                   AND id NOT IN (%s)
                   AND NOT EXISTS (
                        SELECT FROM meta_capi_attempt attempt
                         WHERE attempt.id = ANY(carried_by) AND attempt.arrived)
                   AND NOT EXISTS (
                        SELECT FROM meta_capi_event other
                         WHERE other.pixel_id = %s
                           AND other.event_name = event.event_name
                           AND other.event_id = event.event_id)
                 %s
                """,
                list(event_ids),
                PENDING,
                UNDECIDED,
                pixel_id,
                SQL("FOR NO KEY UPDATE SKIP LOCKED") if lock else SQL(),
            )
        )
        return [event_id for (event_id,) in self.cr.fetchall()]

    def move(self, event_ids, pixel_id, now):
        """Have those of these events sent to another pixel that it can have; see above.

        :return: the ids of the events that were moved
        """
        return self.set_values(
            self.movable(event_ids, pixel_id, lock=True),
            pixel_id=pixel_id,
            next_attempt_at=to_datetime(now),
            # They tell of the pixel that it was not for. The requests keep them.
            cause=None,
            attempt_count=0,
            unknown_count=0,
            isolation_part=None,
            first_refusal_id=None,
            **dict.fromkeys(ANSWER),
        )

    def expire_overdue(self, now):
        """Give up on what Meta takes no longer, also where nothing is being sent."""
        limits = [
            to_datetime(now - window_closes_at(0, source))
            for source in ("physical_store", "website")
        ]
        self.cr.execute(
            SQL(
                """
                SELECT id
                  FROM meta_capi_event
                 WHERE state = %s AND event_time <= CASE action_source
                       WHEN 'physical_store' THEN %s ELSE %s END
                   FOR NO KEY UPDATE SKIP LOCKED
                """,
                PENDING,
                *limits,
            )
        )
        overdue = [event_id for (event_id,) in self.cr.fetchall()]
        if overdue:
            self.transition(
                overdue,
                FAILED,
                failure_reason=EXPIRED,
                cause="expired",
                next_attempt_at=None,
                isolation_part=None,
            )

    def forget_partners(self, partner_ids, cause, message):
        """Remove what leads to these persons, and cancel what is pending about them.

        An event that is being sent at this moment is waited for.

        :return: the documents the events were about, pairs of model and id
        """
        ids = list(partner_ids)
        self.cr.execute(
            SQL(
                """
                SELECT id, state, res_model, res_id FROM meta_capi_event
                 WHERE partner_id = ANY(%s)
                    OR res_model = 'res.partner' AND res_id = ANY(%s)
                   FOR NO KEY UPDATE
                """,
                ids,
                ids,
            )
        )
        rows = self.cr.fetchall()
        pending = [event_id for event_id, state, *_rest in rows if state == PENDING]
        if pending:
            self.cancel(pending, cause, message)
        self.set_values(
            [event_id for event_id, *_rest in rows],
            res_id=SQL("CASE res_model WHEN 'res.partner' THEN NULL ELSE res_id END"),
            **FORGOTTEN_COLUMNS,
        )
        return {(model, res_id) for _id, _state, model, res_id in rows if model}

    def set_values(self, event_ids, condition=None, **values):
        """Write the same values on events with one statement; return their ids.

        :param values: by column; an ``SQL`` is taken as an expression
        """
        event_ids = list(event_ids)
        if not event_ids:
            return []
        values = {
            "write_uid": self.env.uid,
            "write_date": SQL("now() AT TIME ZONE 'UTC'"),
            **values,
        }
        self.cr.execute(
            SQL(
                "UPDATE meta_capi_event SET %s WHERE id = ANY(%s) AND %s RETURNING id",
                SQL(", ").join(
                    SQL("%s = %s", SQL.identifier(column), value)
                    for column, value in values.items()
                ),
                event_ids,
                condition or SQL("true"),
            )
        )
        done = [event_id for (event_id,) in self.cr.fetchall()]
        self.env["meta.capi.event"].browse(done).invalidate_recordset(flush=False)
        return done

    # --------------------------------------------------------------------- retention

    def forget_old(self, limit, since=datetime.min, *, before):
        """Delete the personal data of the oldest finished events.

        What somebody else holds is left to the next run.

        :param limit: how many at the most
        :param since: those recorded earlier are passed over
        :param before: they were recorded before it
        :return: as of when those are recorded that are left, None if there are none
        """
        self.cr.execute(
            SQL(
                """
                SELECT id, create_date FROM meta_capi_event
                 WHERE state <> 'pending' AND user_data <> '{}'::jsonb
                   AND create_date >= %s AND create_date < %s
                 ORDER BY create_date
                 LIMIT %s
                   FOR NO KEY UPDATE SKIP LOCKED
                """,
                since,
                before,
                limit,
            )
        )
        old = self.cr.fetchall()
        self.set_values([event_id for event_id, _date in old], **FORGOTTEN_COLUMNS)
        return old[-1][1] if len(old) == limit else None

    def purge(self, limit, since=datetime.min, *, before):
        """Delete the oldest finished events.

        What happens once to a record is remembered by the same statement. What somebody
        else holds is left to the next run.

        :param limit: how many at the most
        :param since: those recorded earlier are passed over. Whoever goes on from there
            does not pass again by what is deleted, and is still in the index.
        :param before: they were recorded before it
        :return: as of when those are recorded that are left, None if there are none
        """
        self.cr.execute(
            SQL(
                """
                WITH old AS MATERIALIZED (
                    SELECT id FROM meta_capi_event
                     WHERE state <> 'pending'
                       AND create_date >= %(since)s AND create_date < %(before)s
                     ORDER BY create_date
                     LIMIT %(limit)s
                       FOR UPDATE SKIP LOCKED
                ), purged AS (
                    DELETE FROM meta_capi_event WHERE id IN (SELECT id FROM old)
                    RETURNING event_name, event_id, happens_once, state, failure_reason,
                              create_date
                ), remembered AS (
                    INSERT INTO meta_capi_once (event_name, event_id)
                    SELECT event_name, event_id
                      FROM purged
                     WHERE happens_once AND state <> 'cancelled'
                       AND failure_reason IS DISTINCT FROM 'invalid'
                        ON CONFLICT DO NOTHING
                )
                SELECT count(*), max(create_date) FROM purged
                """,
                since=since,
                before=before,
                limit=limit,
            )
        )
        count, last = self.cr.fetchone()
        self.env["meta.capi.event"].invalidate_model(flush=False)
        return last if count == limit else None

    def purge_requests(self, limit, since=datetime.min, *, before):
        """Delete the oldest requests that are left without events.

        :param limit: how many at the most
        :param since: those that began earlier are passed over
        :param before: they began before it
        :return: as of when those began that are left, None if there are none
        """
        self.cr.execute(
            SQL(
                """
                WITH purged AS (
                    DELETE FROM meta_capi_attempt
                     WHERE id IN (
                        SELECT id FROM meta_capi_attempt attempt
                         WHERE started_at >= %s AND started_at < %s
                           AND NOT EXISTS (
                                SELECT FROM meta_capi_event event
                                 WHERE event.id = ANY(attempt.carried))
                         ORDER BY started_at
                         LIMIT %s
                     )
                    RETURNING started_at
                )
                SELECT count(*), max(started_at) FROM purged
                """,
                since,
                before,
                limit,
            )
        )
        count, last = self.cr.fetchone()
        self.env["meta.capi.attempt"].invalidate_model(flush=False)
        return last if count == limit else None

    # ------------------------------------------------------------------------ copies

    def first_copies(self, event_ids):
        """Return the Unix time of the first copy of each event that Meta may have.

        A request that was announced and has no outcome counts: its process died. So
        does what the browser's Pixel has sent.

        ``OFFSET 0`` has PostgreSQL look for each request and browser by the index: it takes
        the lists for ten requests each, most of which are empty, and would read them all.
        """
        self.cr.execute(
            SQL(
                """
                SELECT event_id, extract(epoch FROM min(arrived_at))::bigint
                  FROM (
                    SELECT carrier.event_id, attempt.started_at AS arrived_at
                      FROM (%(carriers)s) carrier,
                           LATERAL (
                            SELECT started_at, arrived FROM meta_capi_attempt
                             WHERE id = carrier.attempt_id
                            OFFSET 0
                           ) attempt
                     WHERE attempt.arrived
                     UNION ALL
                    SELECT event.id, browser.purchase_sent_at
                      FROM meta_capi_event event,
                           LATERAL (
                            SELECT purchase_sent_at FROM meta_capi_browser
                             WHERE res_model = event.res_model AND res_id = event.res_id
                            OFFSET 0
                           ) browser
                     WHERE event.id = ANY(%(ids)s) AND event.event_name = 'Purchase'
                       AND browser.purchase_sent_at IS NOT NULL
                     UNION ALL
                    SELECT id, event_time FROM meta_capi_event
                     WHERE id = ANY(%(ids)s) AND browser_twin
                  ) copy
                 GROUP BY event_id
                """,
                carriers=carriers(event_ids),
                ids=list(event_ids),
            )
        )
        return dict(self.cr.fetchall())


def _key_is(key):
    return SQL("pixel_id = %s AND event_name = %s AND event_id = %s", *key)


def is_value(column, value):
    """Return the condition in a form whose share of the rows PostgreSQL can estimate.

    Of an expression it believes in so few that it would sort all that is pending.
    """
    if value is None:
        return SQL("%s IS NULL", SQL.identifier(column))
    return SQL("%s = %s", SQL.identifier(column), value)
