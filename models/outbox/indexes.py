from ..common.schema import create_indexes as create_missing

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
    # What the log counts, graphs and shows first, so that it reads an index alone and not
    # the hashes of a whole period. What a graph is made of besides would make each event
    # larger.
    "period": "(event_time) INCLUDE (event_name, state, website_id, company_id)",
    "failures": "(create_date) INCLUDE (event_time, cause, website_id, company_id,"
    " pixel_id) WHERE state = 'failed'",
    # Whether a Purchase was ever sent.
    "purchase": "(website_id, pixel_id)"
    " WHERE event_name = 'Purchase' AND state = 'sent'",
    # Of the field, and as Odoo calls it, which would make it while nobody may write.
    "_partner_id_index": "(partner_id) WHERE partner_id IS NOT NULL",
}


def tune_vacuum(cr):
    """Have PostgreSQL clean up the log early, unless somebody has told it when to.

    Each event is written twice. The space of what was written first is used again once a
    fifth of a table has changed, which of a long log is very much.
    """
    cr.execute(
        "SELECT FROM pg_class WHERE oid = 'meta_capi_event'::regclass"
        " AND array_to_string(reloptions, ',') LIKE '%autovacuum_vacuum_scale_factor=%'"
    )
    if not cr.rowcount:
        cr.execute(
            "ALTER TABLE meta_capi_event SET (autovacuum_vacuum_scale_factor = 0.02)"
        )


def create_indexes(cr):
    """Create what is missing of the indexes of ``meta_capi_event``."""
    # Idempotence: one row for what Meta would count once.
    create_missing(
        cr,
        "meta_capi_event",
        {"unique": "(pixel_id, event_name, event_id)"},
        is_unique=True,
    )
    create_missing(cr, "meta_capi_event", INDEXES)
    # What that of the period has replaced.
    cr.execute("DROP INDEX IF EXISTS meta_capi_event_time")
