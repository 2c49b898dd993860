"""From events that are ready to their rows, in the caller's transaction."""

import dataclasses
import json
from dataclasses import replace
from datetime import datetime, timezone

import psycopg2
from psycopg2.errors import SerializationFailure

from odoo import _

from ...capi.event import ServerEvent
from ..common.border import log_error
from ..outbox.event_table import EventTable, to_datetime
from .event_builder import NOTHING_PERSONAL, failed

_EVENT_FIELDS = tuple(field.name for field in dataclasses.fields(ServerEvent))
_to_json = json.JSONEncoder(default=datetime.isoformat).encode
# What a rebuilt row must not keep of its former life.
_STATE_COLUMNS = (
    "failure_reason",
    "sent_at",
    "http_status",
    "fbtrace_id",
    "error_code",
    "error_subcode",
    "error_message",
    "isolation_part",
    "unknown_count",
    "first_refusal_id",
    "cause",
    "value",
    "currency",
    "is_from_browser",
    "is_copy",
    "happens_once",
    "website_id",
    "company_id",
    "res_model",
    "res_id",
    "test_event_code",
    "partner_id",
    "user_data_keys",
    "click_browser",
    "weakness",
)


class EventWriter:
    """Writes drafts of ``event_builder`` into the log, each once."""

    def __init__(self, env):
        self.env = env
        self._table = EventTable(env)

    def store(self, drafts):
        """Store these events; one that is on record stays, or is rebuilt.

        An event that another transaction has recorded since ours began has no row that
        we could see, and so no id.

        :return: the ids of the rows in the order of the drafts, and the drafts that
            were written now, with those of further pixels
        """
        drafts = [draft for draft in drafts if not self._is_purged(draft)]
        ids = self._insert(drafts)
        fresh = {}
        for draft in drafts:
            if draft.key in ids and draft.key not in fresh:
                fresh[draft.key] = draft
            else:
                event_id, is_rebuilt = self._reuse(draft)
                ids[draft.key] = event_id
                if is_rebuilt:
                    fresh[draft.key] = draft
        written = [*fresh.values(), *self._insert_copies(fresh.values())]
        return [ids[draft.key] for draft in drafts if ids.get(draft.key)], written

    def _is_purged(self, draft):
        """Tell whether the event was on record once and its row is gone since."""
        if not (draft.is_natural and draft.is_recorded):
            return False
        pixel_id = self._table.pixel_of_natural(
            draft.origin._name,
            draft.origin.id,
            draft.event.event_name,
            draft.event.event_id,
            draft.columns["pixel_id"],
        )
        if pixel_id:
            # The pixel may be another one by now; the event stays one.
            draft.columns["pixel_id"] = pixel_id
        return not pixel_id

    def _insert(self, drafts):
        """Insert these rows in a savepoint; return the new ids by key.

        A key that exists is passed over. One that was committed after our snapshot
        cannot even be seen: PostgreSQL refuses the whole statement, so that halves are
        tried until it is alone.
        """
        if not drafts:
            return {}
        try:
            with self.env.cr.savepoint(flush=False):
                return self._execute_insert(drafts)
        except SerializationFailure:
            if len(drafts) == 1:
                if self._is_recorded_elsewhere(drafts[0]):
                    return {}
                raise
        except (psycopg2.DataError, psycopg2.IntegrityError) as error:
            if len(drafts) == 1:
                log_error("An event could not be stored as it is", error)
                return self._insert_bare(drafts[0])
        middle = len(drafts) // 2
        return {**self._insert(drafts[:middle]), **self._insert(drafts[middle:])}

    def _insert_copies(self, drafts):
        """Insert the events that go to further pixels as well; return their drafts.

        Meta tells copies by pixel, so that each pixel counts the event once.
        """
        copies = [
            replace(
                draft,
                columns={
                    **draft.columns,
                    "pixel_id": pixel_id,
                    "is_copy": True,
                    "happens_once": None,
                },
                is_natural=False,
            )
            for draft in drafts
            if draft.is_pending
            for pixel_id in draft.extra_pixel_ids
            if pixel_id != draft.columns["pixel_id"]
        ]
        ids = self._insert(copies)
        return [copy for copy in copies if copy.key in ids]

    def _insert_bare(self, draft):
        """Insert what is safe of an event that PostgreSQL refuses."""
        draft.event = replace(
            draft.event, **NOTHING_PERSONAL, original_event_data=None, custom_data=None
        )
        draft.columns = {
            "pixel_id": draft.columns["pixel_id"],
            **failed(
                _("The event could not be stored; the server's log tells why."),
                "unprepared",
            ),
        }
        with self.env.cr.savepoint(flush=False):
            return self._execute_insert([draft])

    def _execute_insert(self, drafts):
        rows = [self.to_row(draft) for draft in drafts]
        # Most columns are for later.
        used = [c for c in rows[0] if any(row[c] is not None for row in rows)]
        return self._table.insert(
            _to_json([{column: row[column] for column in used} for row in rows]), used
        )

    def to_row(self, draft):
        """Return the values of all columns, in an order that is always the same."""
        row = dict.fromkeys(_STATE_COLUMNS)
        for field in _EVENT_FIELDS:
            row[field] = getattr(draft.event, field)
        now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
        row.update(
            event_time=to_datetime(draft.event.event_time),
            state="pending",
            attempt_count=0,
            next_attempt_at=now,
            browser_twin=False,
            **_worth(draft.event.custom_data),
            create_uid=self.env.uid,
            create_date=now,
            write_uid=self.env.uid,
            write_date=now,
        )
        row.update(draft.columns)
        if row["state"] != "pending":
            row["next_attempt_at"] = None
        return row

    def _is_recorded_elsewhere(self, draft):
        """Tell whether another transaction has committed this event since ours began."""
        with self.env.registry.cursor() as cr:
            return EventTable(self.env(cr=cr)).find(draft.key) is not None

    def _reuse(self, draft):
        """Return the row of an event that is on record, and whether it was rebuilt.

        One that was invalid is tried again with what is known now, and so is one that
        only a browser told of, where the server tells of it now. Any other stays.
        """
        event_id = self._table.find(draft.key)
        by_browser = bool(draft.columns.get("is_from_browser"))
        if not event_id or not self._table.lock_replaceable(event_id, by_browser):
            return event_id, False
        row = self.to_row(draft)
        for column in ("create_uid", "create_date", "write_uid", "write_date"):
            del row[column]
        if not by_browser:
            # Whether the browser has sent its own is not for us to tell.
            del row["browser_twin"]
        self._table.replace(event_id, row)
        return event_id, True


def _worth(custom_data):
    """Return the columns of what an event is worth, so that it can be summed up."""
    value, currency = map((custom_data or {}).get, ("value", "currency"))
    is_number = type(value) in (int, float)
    return {"value": value if is_number else None, "currency": currency}
