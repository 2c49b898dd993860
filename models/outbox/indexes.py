from odoo.tools import SQL

# Of the table of events; the ORM knows no index that is partial or has more columns.
INDEXES = {
    # The claim: its cost depends on what waits, not on the log.
    "pending": "(pixel_id, event_time, id) WHERE state = 'pending'",
    # What an admin looks for first, however long the log.
    "failed": "(id) WHERE state = 'failed'",
    # The retention.
    "finished": "(create_date) WHERE state <> 'pending'",
    # That of personal data, which most of a log is without.
    "personal": "(create_date) WHERE state <> 'pending' AND user_data <> '{}'::jsonb",
    # The visits that came by an ad, in the overview.
    "click": "(event_time) WHERE click_browser IS NOT NULL",
    # Consent withdrawn: what is still to be sent, or could be, of one browser.
    **{
        key: f"((user_data ->> '{key}')) WHERE state IN ('pending', 'failed')"
        f" AND (user_data ->> '{key}') IS NOT NULL"
        for key in ("fbp", "fbc")
    },
    # The events of a document.
    "origin": "(res_model, res_id) WHERE res_id IS NOT NULL",
}
# All that the overview counts, so that it reads an index alone and not the hashes of a
# whole period; and the last days, which the log shows first.
COUNTED_COLUMNS = (
    *("event_name", "state", "sent_at", "website_id", "company_id", "pixel_id"),
    *("user_data_keys", "action_source", "cause"),
)
COUNTING_INDEXES = (
    "CREATE INDEX IF NOT EXISTS meta_capi_event_period ON meta_capi_event (event_time)"
    " INCLUDE (event_name, state, sent_at, website_id, company_id, pixel_id,"
    " user_data_keys, action_source)",
    "CREATE INDEX IF NOT EXISTS meta_capi_event_failures"
    " ON meta_capi_event (create_date) INCLUDE (event_time, cause, website_id,"
    " company_id, pixel_id) WHERE state = 'failed'",
    # Whether a Purchase was ever sent.
    "CREATE INDEX IF NOT EXISTS meta_capi_event_purchase"
    " ON meta_capi_event (website_id, pixel_id)"
    " WHERE event_name = 'Purchase' AND state = 'sent'",
    # What the first of these has replaced.
    "DROP INDEX IF EXISTS meta_capi_event_time",
)


def create_indexes(cr):
    """Create what is missing of the indexes of ``meta_capi_event``."""
    # Idempotence: one row for what Meta would count once.
    cr.execute(
        "CREATE UNIQUE INDEX IF NOT EXISTS meta_capi_event_unique"
        " ON meta_capi_event (pixel_id, event_name, event_id)"
    )
    for name, definition in INDEXES.items():
        cr.execute(
            SQL(
                "CREATE INDEX IF NOT EXISTS %s ON meta_capi_event %s",
                SQL.identifier(f"meta_capi_event_{name}"),
                SQL(definition.replace("%", "%%")),
            )
        )
    for statement in COUNTING_INDEXES:
        cr.execute(statement)
