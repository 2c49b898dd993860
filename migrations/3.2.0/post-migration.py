"""Have requests and events list each other, instead of a row for each pair."""

from odoo.tools.sql import table_exists

# Rows that are locked at once: each slice is committed, so that no shop waits for all.
_SLICE = 10_000


def migrate(cr, version):
    if not version or not table_exists(cr, "meta_capi_attempt_event_rel"):
        return
    _list_events(cr)
    cr.execute("SELECT min(id), max(id) FROM meta_capi_event")
    first, last = cr.fetchone()
    cr.commit()  # pylint: disable=invalid-commit
    for start in range(first or 0, (last or -1) + 1, _SLICE):
        _let_others_write(cr)
        _list_attempts(cr, range(start, start + _SLICE))
        cr.commit()  # pylint: disable=invalid-commit
    _end_links(cr)


def _end_links(cr):
    """Have nobody send with the old code any more, which announces in this table."""
    _let_others_write(cr)
    cr.execute("LOCK TABLE meta_capi_attempt_event_rel")
    # Those that were announced since the others were listed.
    attempt_ids = _list_events(cr)
    cr.execute(
        "SELECT event_id FROM meta_capi_attempt_event_rel WHERE attempt_id = ANY(%s)",
        [attempt_ids],
    )
    _list_attempts(cr, [event_id for (event_id,) in cr.fetchall()])
    cr.execute("DROP TABLE meta_capi_attempt_event_rel")
    cr.execute(
        "DELETE FROM ir_model_relation WHERE name = 'meta_capi_attempt_event_rel'"
    )
    cr.commit()  # pylint: disable=invalid-commit


def _let_others_write(cr):
    """Have this transaction, just begun, not fail on rows that a delivery has written."""
    cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _list_events(cr):
    """Have each request list its events; return the requests that did not."""
    cr.execute(
        """
        UPDATE meta_capi_attempt SET carried = link.ids
          FROM (SELECT attempt_id, array_agg(event_id ORDER BY event_id) AS ids
                  FROM meta_capi_attempt_event_rel GROUP BY attempt_id) link
         WHERE id = link.attempt_id AND carried IS NULL
        RETURNING id
        """
    )
    return [attempt_id for (attempt_id,) in cr.fetchall()]


def _list_attempts(cr, event_ids):
    """Have each event list its requests, beside those that it lists already."""
    cr.execute(
        """
        UPDATE meta_capi_event event
           SET carried_by = ARRAY(
                SELECT unnest(coalesce(carried_by, '{}') || link.ids)
                 GROUP BY 1 ORDER BY 1)
          FROM (SELECT event_id, array_agg(attempt_id) AS ids
                  FROM meta_capi_attempt_event_rel
                 WHERE event_id = ANY(%s)
                 GROUP BY event_id) link
         WHERE event.id = link.event_id
        """,
        [list(event_ids)],
    )
