from ..common.schema import create_indexes as create_missing

# Of the table of events; the ORM knows no index that is partial or has more columns.
INDEXES = {
    # The claim: its cost depends on what waits, not on the log.
    "pending": "(pixel_id, event_time, id) WHERE state = 'pending'",
    # What an admin looks for first, however long the log.
    "failed": "(id) WHERE state = 'failed'",
    # The retention.
    "finished": "(create_date) WHERE state <> 'pending'",
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
    # All that the overview counts, so that it reads an index alone and not the hashes of
    # a whole period; and the last days, which the log shows first.
    "period": "(event_time) INCLUDE (event_name, state, sent_at, website_id, company_id,"
    " pixel_id, user_data_keys, action_source)",
    "failures": "(create_date) INCLUDE (event_time, cause, website_id, company_id,"
    " pixel_id) WHERE state = 'failed'",
    # Whether a Purchase was ever sent.
    "purchase": "(website_id, pixel_id)"
    " WHERE event_name = 'Purchase' AND state = 'sent'",
    # Of the field, and as Odoo calls it, which would make it while nobody may write.
    "_partner_id_index": "(partner_id) WHERE partner_id IS NOT NULL",
}


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
