"""Which requests have carried which events, without a row for each pair.

A request lists its events in ``meta_capi_attempt.carried``, which is committed before it
leaves: that stands, whatever happens to the process. An event lists the requests that
told what becomes of it in ``meta_capi_event.carried_by``, and is written then anyway. A
request without an outcome is under way, or its process has died: no event need list it.

Rows of pairs would cost a delivery as much as all that it learns: PostgreSQL checks two
keys of each, and locks the event for it while another transaction holds it.
"""

from odoo.tools import SQL
from odoo.tools.sql import column_exists, create_column

# The events of requests whose outcome is not known.
UNDECIDED = SQL("SELECT unnest(carried) FROM meta_capi_attempt WHERE outcome IS NULL")


def create_list(cr, table, column):
    """Create one of the two columns, if it is missing: nobody else locks the table."""
    if not column_exists(cr, table, column):
        create_column(cr, table, column, "int4[]")


def carriers(event_ids):
    """Return the requests that have carried these events: ``event_id``, ``attempt_id``."""
    event_ids = list(event_ids)
    return SQL(
        """
        SELECT id AS event_id, unnest(carried_by) AS attempt_id
          FROM meta_capi_event
         WHERE id = ANY(%s)
         UNION
        SELECT event_id, id
          FROM meta_capi_attempt, unnest(carried) AS event_id
         WHERE outcome IS NULL AND event_id = ANY(%s)
        """,
        event_ids,
        event_ids,
    )


def attempts_by_event(cr, event_ids):
    """Return the ids of the requests that have carried each of these events."""
    cr.execute(
        SQL(
            "SELECT event_id, array_agg(attempt_id) FROM (%s) carrier GROUP BY event_id",
            carriers(event_ids),
        )
    )
    return dict(cr.fetchall())


def events_by_attempt(cr, attempt_ids):
    """Return the ids of the events that each of these requests has carried."""
    cr.execute(
        SQL(
            "SELECT id, carried FROM meta_capi_attempt WHERE id = ANY(%s)",
            list(attempt_ids),
        )
    )
    return {attempt_id: carried or [] for attempt_id, carried in cr.fetchall()}


def searched(env, model, operator, value, others_of):
    """Return the domain that a search for the other side of these lists stands for.

    :param model: of the records that are searched for
    :param others_of: returns by its id what a record is listed with, of the ids given
    """
    records = env[model]
    is_excluded = operator == "!=" or operator.startswith("not ")
    if operator.endswith("any"):
        found = records.search(value)
    elif isinstance(value, str):  # as they are called
        positive = "=" if operator == "!=" else operator.removeprefix("not ")
        found = records.search([(records._rec_name, positive, value)])
    else:
        values = [value] if isinstance(value, int) else list(value)
        if values == [False]:  # those that are listed with none
            is_excluded, values = not is_excluded, records.search([]).ids
        found = records.search([("id", "in", values)])
    others = {other for ids in others_of(env.cr, found.ids).values() for other in ids}
    return [("id", "not in" if is_excluded else "in", sorted(others))]
