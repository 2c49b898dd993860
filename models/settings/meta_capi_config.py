import logging

from odoo import _, api, models
from odoo.exceptions import ValidationError
from odoo.tools import ormcache

from ...capi.client import GraphClient
from ...capi.errors import InvalidParameter
from . import setting

_logger = logging.getLogger("meta.conversions.api")


class MetaCapiConfig(models.AbstractModel):
    """The configuration as typed values: System Parameters, overridden by a website.

    Everything is read with superuser rights, because events are recorded on behalf of
    users who may read none of it. Private methods only: nothing here is within reach
    of RPC.
    """

    _name = "meta.capi.config"
    _description = "Meta Conversions API configuration"

    @api.model
    @ormcache("declared.key", "website.id if website else None")
    def _get(self, declared, website=None):
        """Return the value in force: the website's own, else the common one.

        A change of a parameter or a website clears the cache.

        :param declared: one of ``setting.py``, which says what it is read as
        """
        return declared.parse(self._text(declared, website))

    @api.model
    def _text(self, declared, website=None):
        """Return what is stored of the value in force, or ``""``."""
        own = website and website.sudo()[declared.field_name]
        value = own or self.env["ir.config_parameter"].sudo().get_param(declared.key)
        return str(value).strip() if value else ""

    @api.model
    def _is_enabled(self):
        return self._get(setting.ENABLED)

    @api.model
    def _pixel_id(self, website=None):
        """Return the pixel that events of ``website`` (or of none) go to, or ``""``."""
        return self._get(setting.PIXEL_ID, website)

    @api.model
    @ormcache("website_name")
    def _warn_unconfigured(self, website_name):
        """Say once, until the configuration changes, that events go nowhere."""
        _logger.warning(
            "Events%s are not recorded: the Meta Conversions API is switched on without a"
            " pixel. See Website > Configuration > Settings.",
            f" of {website_name}" if website_name else "",
        )

    @api.model
    def _company(self, website=None):
        """Return the company of ``website`` (or of none), without reading it or the user
        anew each time.
        """
        if website:
            company_id = website._get_cached("company_id")
            return self.env["res.company"].browse(company_id)
        if self.env.context.get("allowed_company_ids"):
            return self.env.company
        return self.env["res.company"].browse(self._company_id_of_user())

    @ormcache("self.env.uid")
    def _company_id_of_user(self):
        # A change of the user's company clears the cache.
        return self.env.company.id

    @api.model
    @ormcache("website.id")
    def _base_url(self, website):
        """Return the address of ``website``, without reading it anew each time."""
        return website.sudo().get_base_url()

    @api.model
    @ormcache("website.id if website else None")
    def _extra_pixel_ids(self, website=None):
        """Return the pixels that get a copy of each event of ``website``, a tuple.

        Those of a website that names its own pixel are its own, too.
        """
        website = website and website.sudo()
        if website and (
            website.meta_capi_pixel_id or website.meta_capi_extra_pixel_ids
        ):
            return setting.EXTRA_PIXEL_IDS.parse(
                website.meta_capi_extra_pixel_ids or ""
            )
        return self._get(setting.EXTRA_PIXEL_IDS)

    @api.model
    def _test_event_code(self, website=None):
        """Return the test event code in force, or ``""``."""
        return self._get(setting.TEST_EVENT_CODE, website)

    @api.model
    def _pixel_ids(self, website=None):
        """Return the pixels that an event of ``website`` goes to, a set."""
        pixel_ids = {self._pixel_id(website), *self._extra_pixel_ids(website)}
        return pixel_ids - {""}

    @api.model
    def _websites_of(self, pixel_id):
        """Return the websites whose events, or copies of them, go to this pixel."""
        websites = self.env["website"].sudo().search([])
        return websites.filtered(lambda website: pixel_id in self._pixel_ids(website))

    @api.model
    def _access_token(self, pixel_id):
        """Return a token that may send to ``pixel_id``, or ``""``.

        Of a website's own pixel and token either may be the common one. A pixel that
        gets copies is asked for with the token of the one they are of, unless it has
        one itself.
        """
        common_pixel, common_token = (
            self._get(setting.PIXEL_ID),
            self._get(setting.ACCESS_TOKEN),
        )
        # A delivery asks for each request anew, and a website has many fields.
        websites = (
            self.env["website"]
            .sudo()
            .search_fetch(
                [],
                [
                    "meta_capi_pixel_id",
                    "meta_capi_access_token",
                    "meta_capi_extra_pixel_ids",
                ],
            )
        )
        of_their_own = websites.filtered("meta_capi_access_token")
        for website in of_their_own:
            if self._pixel_id(website) == pixel_id:
                return website.meta_capi_access_token
        mains = {common_pixel, *websites.mapped("meta_capi_pixel_id")}
        if common_token and pixel_id in mains:
            return common_token
        for website in of_their_own:
            if pixel_id in self._extra_pixel_ids(website):
                return website.meta_capi_access_token
        is_known = any(
            pixel_id in self._pixel_ids(website) for website in (None, *websites)
        )
        return common_token if is_known else ""

    @api.model
    def _graph_client(self):
        """Return the client of the configured Graph.

        :raise InvalidParameter: the base URL or the version is not usable
        """
        return GraphClient(
            self._get(setting.GRAPH_URL),
            self._get(setting.API_VERSION),
            app_secret=self._get(setting.APP_SECRET),
        )

    @api.model
    def _withheld_user_data(self):
        """Return the keys of ``user_data`` that the shop has chosen not to send."""
        chosen = self._get(setting.USER_DATA_KEYS)
        if not chosen:
            return frozenset()
        return frozenset(setting.USER_DATA_KEYS.choices) - set(chosen)

    @api.model
    def _excluded_tag_ids(self):
        """Return the ids of the tags whose customers nothing is sent about."""
        ids = self._get(setting.EXCLUDED_TAG_IDS)
        return {int(tag_id) for tag_id in ids if tag_id.isascii() and tag_id.isdigit()}

    @api.model
    def _edits_website(self, website):
        """Tell whether what is set for ``website`` is set for it alone.

        The only website has no need of values beside the common ones.
        """
        return bool(website) and self.env["website"].sudo().search_count([]) > 1

    @api.model
    def _set(self, declared, value, website):
        """Set a value for ``website``, or for all where it is the only one.

        :param value: a text; empty takes away the website's own, and where there is no
            other website the common one
        """
        own, field = website.sudo(), declared.field_name
        if not self._edits_website(website):
            self.env["ir.config_parameter"].sudo().set_param(
                declared.key, value or False
            )
            if not own[field]:
                return
        own[field] = value or False

    @api.model
    def _check_field(self, record, declared, value):
        """Return the text that ``value``, of a field of ``record``, is stored as.

        :raise ValidationError: it cannot be used; the message names the field
        """
        try:
            return declared.check(declared.stored(value))
        except InvalidParameter as error:
            field = record._fields[declared.field_name]
            label = field.get_description(self.env, ["string"])["string"]
            raise ValidationError(
                _("%(field)s: %(reason)s", field=label, reason=error.reason)
            ) from error
