"""Take over from the module that sent a Purchase from ``action_confirm``."""

from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    if not version:
        return
    env = api.Environment(cr, SUPERUSER_ID, {})
    if env["meta.capi.config"]._is_enabled():
        env.ref("ih_meta_conversions_api.automation_purchase").active = True
    # It has sent these; confirmed once more they must not be counted again.
    cr.execute(
        """
        UPDATE sale_order
           SET meta_capi_purchase_recorded_at = coalesce(date_order, create_date)
         WHERE state = 'sale'
           AND website_id IS NOT NULL
           AND meta_capi_purchase_recorded_at IS NULL
        """
    )
    # Its settings wizard left a copy of the token with every save.
    cr.execute(
        "ALTER TABLE res_config_settings DROP COLUMN IF EXISTS meta_capi_access_token"
    )
