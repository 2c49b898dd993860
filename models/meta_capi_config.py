from odoo import api, models

from ..capi import const
from ..capi.client import GraphClient
from ..capi.errors import InvalidParameter

ENABLED = "meta_capi.enabled"
PIXEL_ID = "meta_capi.pixel_id"
ACCESS_TOKEN = "meta_capi.access_token"
TEST_EVENT_CODE = "meta_capi.test_event_code"
API_VERSION = "meta_capi.api_version"
GRAPH_URL = "meta_capi.graph_url"
BATCH_DELAY = "meta_capi.batch_delay"
RETENTION_DAYS = "meta_capi.retention_days"

DEFAULT_BATCH_DELAY = 5
DEFAULT_RETENTION_DAYS = 90


class MetaCapiConfig(models.AbstractModel):
    """The configuration as typed values: System Parameters, overridden by a website.

    Everything is read with superuser rights, because events are recorded on behalf of
    users who may read none of it. Private methods only: nothing here is within reach
    of RPC.
    """

    _name = "meta.capi.config"
    _description = "Meta Conversions API configuration"

    @api.model
    def _get(self, key, default=""):
        value = self.env["ir.config_parameter"].sudo().get_param(key)
        return str(value).strip() if value else default

    @api.model
    def _get_integer(self, key, default):
        try:
            return int(self._get(key, str(default)))
        except ValueError:
            return default

    @api.model
    def _is_enabled(self):
        return self._get(ENABLED) in ("True", "true", "1")

    @api.model
    def _pixel_id(self, website=None):
        """Return the pixel that events of ``website`` (or of none) go to, or ``""``."""
        return (website and website.sudo().meta_capi_pixel_id) or self._get(PIXEL_ID)

    @api.model
    def _test_event_code(self, website=None):
        """Return the test event code in force, or ``""``."""
        return (website and website.sudo().meta_capi_test_event_code) or self._get(
            TEST_EVENT_CODE
        )

    @api.model
    def _access_token(self, pixel_id):
        """Return a token that may send to ``pixel_id``, or ``""``.

        The token of a website that names its own comes before the shared one, since
        a website overrides either half of the pair on its own.
        """
        shared_pixel, shared_token = self._get(PIXEL_ID), self._get(ACCESS_TOKEN)
        websites = self.env["website"].sudo().search([])
        for website in websites.filtered("meta_capi_access_token"):
            if (website.meta_capi_pixel_id or shared_pixel) == pixel_id:
                return website.meta_capi_access_token
        if pixel_id in {shared_pixel, *websites.mapped("meta_capi_pixel_id")}:
            return shared_token
        return ""

    @api.model
    def _graph_client(self):
        """Return the client of the configured Graph.

        :raise InvalidParameter: the base URL or the version is not usable
        """
        return GraphClient(
            self._get(GRAPH_URL, const.GRAPH_URL),
            self._get(API_VERSION, const.API_VERSION),
        )

    @api.model
    def _batch_delay(self):
        """Return the seconds a delivery waits so that events gather."""
        return max(0, self._get_integer(BATCH_DELAY, DEFAULT_BATCH_DELAY))

    @api.model
    def _retention_days(self):
        """Return the days a finished event is kept; negative: for ever."""
        return self._get_integer(RETENTION_DAYS, DEFAULT_RETENTION_DAYS)

    @api.model
    def _check(self, key, value):
        """Return ``value`` as it is to be stored under ``key``.

        :raise InvalidParameter: the value cannot be used
        """
        value = value.strip()
        if not value:
            return value
        if key == PIXEL_ID and not (value.isascii() and value.isdigit()):
            raise InvalidParameter(key, "must be digits only")
        if key == ACCESS_TOKEN and any(map(str.isspace, value)):
            raise InvalidParameter(key, "must not contain white space")
        if key == GRAPH_URL:
            GraphClient(graph_url=value)
        if key == API_VERSION:
            GraphClient(api_version=value)
        if key in (BATCH_DELAY, RETENTION_DAYS):
            try:
                int(value)
            except ValueError:
                raise InvalidParameter(key, "must be a whole number") from None
        return value
