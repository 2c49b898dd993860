from odoo import api, fields, models

from . import setting


class MetaCapiToken(models.AbstractModel):
    """The days of the access tokens: when each was set, and when it ends.

    Meta's Business Manager gives tokens for 60 or 90 days, and does not tell the shop when
    they end: a person does, in the settings. The days are kept where the token is, with
    the website or as System Parameters, and begin anew with each token.
    """

    _name = "meta.capi.token"
    _description = "Days of the access tokens for Meta"

    @api.model
    def _begin(self, website=None, end=False):
        """Keep that a token begins, or is gone: of a website, or the common one.

        :param end: when a website's own token ends, if that is told with it
        """
        if website:
            website = website.sudo()
            has_token = bool(website.meta_capi_access_token)
            website.write(
                {
                    "meta_capi_token_set_on": has_token and fields.Date.today(),
                    "meta_capi_token_expires_on": has_token and end,
                }
            )
            return
        has_token = bool(self.env["meta.capi.config"]._get(setting.ACCESS_TOKEN))
        day = has_token and fields.Date.to_string(fields.Date.today())
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param(setting.TOKEN_SET_ON.key, day)
        parameters.set_param(setting.TOKEN_EXPIRES_ON.key, False)

    @api.model
    def _days(self, website):
        """Return when the token that a website uses was set, and when it ends.

        Two dates, False where nobody knows.
        """
        website = website.sudo()
        if website.meta_capi_access_token:
            return website.meta_capi_token_set_on, website.meta_capi_token_expires_on
        return tuple(
            self.env["meta.capi.config"]._get(declared)
            for declared in (setting.TOKEN_SET_ON, setting.TOKEN_EXPIRES_ON)
        )

    @api.model
    def _set_end(self, website, day):
        """Keep when the token that a website uses ends."""
        if day == self._days(website)[1]:
            return
        if website.sudo().meta_capi_access_token:
            website.sudo().meta_capi_token_expires_on = day
        else:
            self.env["ir.config_parameter"].sudo().set_param(
                setting.TOKEN_EXPIRES_ON.key, day and fields.Date.to_string(day)
            )

    @api.model
    def _end_for(self, pixel_id):
        """Return when the token that sends to a pixel ends, or False.

        And whose the token is: a website, none where it is the common one.
        """
        websites = self.env["website"].sudo()
        token = self.env["meta.capi.config"]._access_token(pixel_id)
        if not token:
            return False, websites
        owner = websites.search([("meta_capi_access_token", "=", token)], limit=1)
        return self._days(owner)[1], owner
