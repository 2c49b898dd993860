from contextlib import contextmanager

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ...capi.errors import InvalidParameter
from ...capi.redaction import token_filter
from . import meta_capi_config as config

_KEYS = {field: key for key, field in config.WEBSITE_FIELDS.items()}
_RELEASING = {field for field, key in _KEYS.items() if key in config.RELEASING}
_TOKEN = config.WEBSITE_FIELDS[config.ACCESS_TOKEN]
_TOKEN_END = "meta_capi_token_expires_on"
_TRIGGER = config.WEBSITE_FIELDS[config.PURCHASE_TRIGGER]


def _own(field_type, *args, **options):
    """Return a field for a value of the website's own; empty, the common one counts."""
    return field_type(*args, groups="base.group_system", copy=False, **options)


class Website(models.Model):
    """What a website has of its own instead of the common System Parameters.

    A copy of a website begins with the common ones: a second one with the same token,
    test code or moment of a Purchase would be nobody's choice.
    """

    _inherit = "website"

    meta_capi_pixel_id = _own(
        fields.Char,
        "Meta Pixel ID",
        help="Events of this website go to this pixel instead of the common one.",
    )
    meta_capi_extra_pixel_ids = _own(
        fields.Char,
        "Meta Pixels for Copies",
        help="Pixel IDs, separated by commas, that get a copy of each event. The access"
        " token has to have access to them, too.",
    )
    meta_capi_access_token = _own(fields.Char, "Meta Conversions API Access Token")
    meta_capi_token_set_on = _own(fields.Date, readonly=True)
    meta_capi_token_expires_on = _own(fields.Date, "Meta Access Token Ends On")
    meta_capi_test_event_code = _own(fields.Char, "Meta Test Event Code")
    meta_capi_bridge_enabled = _own(
        fields.Selection,
        [("True", "On"), ("False", "Off")],
        "Meta Events of the Pages",
    )
    meta_capi_pixel_mode = _own(
        fields.Selection,
        lambda self: self._meta_capi_choices("meta_capi_pixel_mode"),
        "Meta Pixel on the Pages",
    )
    meta_capi_bridge_events = _own(fields.Char, "Meta Events Taken From the Pages")
    meta_capi_purchase_trigger = _own(
        fields.Selection,
        lambda self: self._meta_capi_choices("meta_capi_purchase_trigger"),
        "Send Purchase to Meta When",
    )
    meta_capi_purchase_trigger_since = _own(fields.Datetime, readonly=True)
    meta_capi_consent_source = _own(
        fields.Selection,
        lambda self: self._meta_capi_choices("meta_capi_consent_source"),
        "Consent for Meta Asked By",
    )

    @api.model
    def _meta_capi_choices(self, name):
        """Return what there is to choose, as the settings have it."""
        return self.env["res.config.settings"]._fields[name].selection

    @api.model_create_multi
    def create(self, vals_list):
        chosen = {name for vals in vals_list for name in vals}
        with self._meta_capi_following(chosen):
            websites = super().create(
                [self._meta_capi_clean(vals) for vals in vals_list]
            )
        for website, vals in zip(websites, vals_list, strict=True):
            if vals.get(_TOKEN):
                self.env["meta.capi.token"]._begin(website, vals.get(_TOKEN_END, False))
        return websites

    def write(self, vals):
        cleaned = self._meta_capi_clean(vals)
        renewed = self.browse()
        if _TOKEN in vals:
            token = cleaned[_TOKEN] or False
            renewed = self.filtered(lambda website: website.sudo()[_TOKEN] != token)
        with self._meta_capi_following(vals):
            result = super().write(cleaned)
        for website in renewed:
            self.env["meta.capi.token"]._begin(website, vals.get(_TOKEN_END, False))
        return result

    def unlink(self):
        with self._meta_capi_following(_KEYS):
            return super().unlink()

    @contextmanager
    def _meta_capi_following(self, names):
        """Let the rest of the addon follow a change of these fields."""
        purchase = self.env["meta.capi.purchase"].sudo()
        common = purchase._common() if _TRIGGER in names else None
        yield
        if not _RELEASING.isdisjoint(names):
            self.env["meta.capi.pixel"].sudo()._follow_configuration()
        if common:
            purchase._keep_common(common)

    @api.model
    def _meta_capi_clean(self, vals):
        """Return ``vals`` with our fields stripped and checked like the parameters."""
        cleaned = dict(vals)
        for field, key in _KEYS.items():
            if not vals.get(field):
                continue
            try:
                cleaned[field] = self.env["meta.capi.config"]._check(
                    key, str(vals[field])
                )
            except InvalidParameter as error:
                label = self._fields[field].get_description(self.env, ["string"])
                raise ValidationError(
                    _(
                        "%(field)s: %(reason)s",
                        field=label["string"],
                        reason=error.reason,
                    )
                ) from error
        if _TRIGGER in vals:
            cleaned["meta_capi_purchase_trigger_since"] = fields.Datetime.now()
        token_filter.remember(cleaned.get("meta_capi_access_token") or "")
        return cleaned
