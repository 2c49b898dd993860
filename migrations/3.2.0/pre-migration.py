"""Add the columns that are new, and take away the index that has become smaller.

Committed at once: the locks of these statements would otherwise be held until the end
of the update, and a shop that records events would wait for it.
"""

from odoo.tools.sql import column_exists, create_column, table_exists

from odoo.addons.ih_meta_conversions_api.models.outbox.carried import create_list


def migrate(cr, version):
    if not version or not table_exists(cr, "meta_capi_attempt"):
        return
    create_list(cr, "meta_capi_attempt", "carried")
    create_list(cr, "meta_capi_event", "carried_by")
    sums = "meta_capi_event_count"
    if table_exists(cr, sums) and not column_exists(cr, sums, "action_source"):
        # What lacks it is added by its source, and taken away without, when all is counted.
        create_column(cr, sums, "action_source", "varchar")
        cr.execute("COMMENT ON TABLE meta_capi_event_count IS NULL")
    cr.execute(
        """
        SELECT FROM pg_indexes
         WHERE indexname = 'meta_capi_event_period' AND indexdef LIKE '%user_data_keys%'
        """
    )
    if cr.rowcount:
        # The update makes it anew, while others write.
        cr.execute("DROP INDEX meta_capi_event_period")
    cr.commit()  # pylint: disable=invalid-commit
