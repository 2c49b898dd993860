from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ..capi.errors import InvalidParameter
from ..capi.redaction import token_filter
from . import meta_capi_config as config

PARAMETER_BY_FIELD = {
    "meta_capi_pixel_id": config.PIXEL_ID,
    "meta_capi_extra_pixel_ids": config.EXTRA_PIXEL_IDS,
    "meta_capi_access_token": config.ACCESS_TOKEN,
    "meta_capi_test_event_code": config.TEST_EVENT_CODE,
}


class Website(models.Model):
    _inherit = "website"

    meta_capi_pixel_id = fields.Char(
        string="Meta Pixel ID",
        help="Events of this website go to this pixel instead of the shared one.",
    )
    meta_capi_extra_pixel_ids = fields.Char(
        string="Meta Pixels for Copies",
        help="Pixel IDs, separated by commas, that get a copy of each event. The access"
        " token has to have access to them, too.",
    )
    meta_capi_access_token = fields.Char(
        string="Meta Conversions API Access Token",
        groups="base.group_system",
        copy=False,
    )
    meta_capi_test_event_code = fields.Char(string="Meta Test Event Code", copy=False)

    @api.model_create_multi
    def create(self, vals_list):
        websites = super().create([self._meta_capi_clean(vals) for vals in vals_list])
        if any(field in vals for vals in vals_list for field in PARAMETER_BY_FIELD):
            websites._meta_capi_release_pixels()
        return websites

    def write(self, vals):
        result = super().write(self._meta_capi_clean(vals))
        if any(field in vals for field in PARAMETER_BY_FIELD):
            self._meta_capi_release_pixels()
        return result

    @api.model
    def _meta_capi_clean(self, vals):
        """Return ``vals`` with our fields stripped and checked like the parameters."""
        cleaned = dict(vals)
        for field, key in PARAMETER_BY_FIELD.items():
            if not vals.get(field):
                continue
            try:
                cleaned[field] = self.env["meta.capi.config"]._check(key, vals[field])
            except InvalidParameter as error:
                label = self._fields[field].get_description(self.env, ["string"])
                raise ValidationError(
                    _(
                        "%(field)s: %(reason)s",
                        field=label["string"],
                        reason=error.reason,
                    )
                ) from error
        token_filter.remember(cleaned.get("meta_capi_access_token") or "")
        return cleaned

    def _meta_capi_release_pixels(self):
        self.env["meta.capi.pixel"].sudo().search([])._release()
