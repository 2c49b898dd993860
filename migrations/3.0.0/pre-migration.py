"""Make way for the views, in the database of the module that this one replaces."""


def migrate(cr, version):
    if not version:
        return
    # Its settings show fields that are gone, and would spoil the form that ours is
    # checked in. Odoo deletes what is no longer in any file at the end of the update.
    cr.execute(
        """
        UPDATE ir_ui_view SET active = false WHERE id IN (
            SELECT res_id FROM ir_model_data
             WHERE module = 'ih_meta_conversions_api' AND model = 'ir.ui.view'
        )
        """
    )
