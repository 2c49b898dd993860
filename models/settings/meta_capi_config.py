import logging
from datetime import date

from odoo import api, models
from odoo.tools import ormcache

from ...capi import const
from ...capi.client import GraphClient
from ...capi.errors import InvalidParameter
from ...capi.secret import clean_secret
from ..common.standard_events import STANDARD_EVENTS

_logger = logging.getLogger("meta.conversions.api")

ENABLED = "meta_capi.enabled"
PIXEL_ID = "meta_capi.pixel_id"
EXTRA_PIXEL_IDS = "meta_capi.extra_pixel_ids"
ACCESS_TOKEN = "meta_capi.access_token"
APP_SECRET = "meta_capi.app_secret"
TEST_EVENT_CODE = "meta_capi.test_event_code"
API_VERSION = "meta_capi.api_version"
GRAPH_URL = "meta_capi.graph_url"
BATCH_DELAY = "meta_capi.batch_delay"
RETENTION_DAYS = "meta_capi.retention_days"
USER_DATA_RETENTION_DAYS = "meta_capi.user_data_retention_days"
USER_DATA_KEYS = "meta_capi.user_data_keys"
WITHOUT_BROWSER = "meta_capi.send_without_browser"
LIMITED_DATA_USE = "meta_capi.limited_data_use"
VALUE_INCLUDES_TAX = "meta_capi.value_includes_tax"
VALUE_INCLUDES_SHIPPING = "meta_capi.value_includes_shipping"
CONTENT_ID = "meta_capi.content_id"
BRIDGE_ENABLED = "meta_capi.bridge_enabled"
BRIDGE_EVENTS = "meta_capi.bridge_events"
PIXEL_MODE = "meta_capi.pixel_mode"
PURCHASE_TRIGGER = "meta_capi.purchase_trigger"
CONSENT_SOURCE = "meta_capi.consent_source"
EXCLUDE_INTERNAL_USERS = "meta_capi.exclude_internal_users"
EXCLUDE_ZERO_ORDERS = "meta_capi.exclude_zero_orders"
EXCLUDE_TEST_PAYMENTS = "meta_capi.exclude_test_payments"
EXCLUDED_TAG_IDS = "meta_capi.excluded_tag_ids"
ALERT_QUALITY = "meta_capi.alert_quality"
ALERT_COVERAGE = "meta_capi.alert_coverage"
ALERT_DIAGNOSTICS = "meta_capi.alert_diagnostics"
TOKEN_SET_ON = "meta_capi.access_token_set_on"
TOKEN_EXPIRES_ON = "meta_capi.access_token_expires_on"

DEFAULT_BATCH_DELAY = 5
DEFAULT_RETENTION_DAYS = 90
DEFAULT_USER_DATA_RETENTION_DAYS = 30
_YES = ("True", "true", "1")
_NO = ("False", "false", "0")

# The keys of user_data that the addon fills in by itself, so that they can be chosen.
CHOSEN_USER_DATA_KEYS = (
    *("em", "ph", "fn", "ln", "ct", "st", "zp", "country", "external_id"),
    *("client_ip_address", "client_user_agent", "fbc", "fbp"),
)
# What of a product is its id in the shop's catalogue at Meta.
CONTENT_IDS = ("product_id", "product_tmpl_id", "default_code", "barcode")
LIMITED_DATA_USES = ("off", "always", "state")
# When an order's Purchase is sent; of several the first one in an order's life counts.
PURCHASE_TRIGGERS = ("confirmed", "paid", "invoiced")
# Who asks visitors for consent: the website's cookies bar, another tool, nobody.
CONSENT_SOURCES = ("odoo", "external", "none")
# What a website may have of its own, by the field that it is kept in.
WEBSITE_FIELDS = {
    PIXEL_ID: "meta_capi_pixel_id",
    ACCESS_TOKEN: "meta_capi_access_token",
    TEST_EVENT_CODE: "meta_capi_test_event_code",
    EXTRA_PIXEL_IDS: "meta_capi_extra_pixel_ids",
    BRIDGE_ENABLED: "meta_capi_bridge_enabled",
    PIXEL_MODE: "meta_capi_pixel_mode",
    BRIDGE_EVENTS: "meta_capi_bridge_events",
    PURCHASE_TRIGGER: "meta_capi_purchase_trigger",
    CONSENT_SOURCE: "meta_capi_consent_source",
}
# What a stopped pixel may have been waiting for.
RELEASING = {
    *(ENABLED, PIXEL_ID, EXTRA_PIXEL_IDS, ACCESS_TOKEN, APP_SECRET, TEST_EVENT_CODE),
    *(API_VERSION, GRAPH_URL),
}
# What no log may show.
SECRETS = (ACCESS_TOKEN, APP_SECRET)
# Who loads the Pixel and makes the funnel's events: some script of the page, whose
# calls are mirrored; we; or nobody, and the events go from the server only.
PIXEL_MODES = ("page", "load", "server")


class MetaCapiConfig(models.AbstractModel):
    """The configuration as typed values: System Parameters, overridden by a website.

    Everything is read with superuser rights, because events are recorded on behalf of
    users who may read none of it. Private methods only: nothing here is within reach
    of RPC.
    """

    _name = "meta.capi.config"
    _description = "Meta Conversions API configuration"

    @api.model
    def _get(self, key, default="", website=None):
        """Return the website's own value, else the common one, else ``default``."""
        own = website and website.sudo()[WEBSITE_FIELDS[key]]
        value = own or self.env["ir.config_parameter"].sudo().get_param(key)
        return str(value).strip() if value else default

    @api.model
    def _get_integer(self, key, default):
        try:
            return int(self._get(key, str(default)))
        except ValueError:
            return default

    @api.model
    def _is_enabled(self):
        return self._get(ENABLED) in _YES

    @api.model
    def _pixel_id(self, website=None):
        """Return the pixel that events of ``website`` (or of none) go to, or ``""``."""
        return self._get(PIXEL_ID, website=website)

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
    def _company(self):
        """Return the company at hand, without reading the user anew each time."""
        if self.env.context.get("allowed_company_ids"):
            return self.env.company
        return self.env["res.company"].browse(self._company_id_of_user())

    @ormcache("self.env.uid")
    def _company_id_of_user(self):
        # A change of the user's company clears the cache.
        return self.env.company.id

    @api.model
    def _extra_pixel_ids(self, website=None):
        """Return the pixels that get a copy of each event of ``website``, a tuple.

        Those of a website that names its own pixel are its own, too.
        """
        website = website and website.sudo()
        if website and (
            website.meta_capi_pixel_id or website.meta_capi_extra_pixel_ids
        ):
            return tuple(_split(website.meta_capi_extra_pixel_ids or ""))
        return tuple(_split(self._get(EXTRA_PIXEL_IDS)))

    @api.model
    def _test_event_code(self, website=None):
        """Return the test event code in force, or ``""``."""
        return self._get(TEST_EVENT_CODE, website=website)

    @api.model
    def _pixel_ids(self, website=None):
        """Return the pixels that an event of ``website`` goes to, a set."""
        pixel_ids = {self._pixel_id(website), *self._extra_pixel_ids(website)}
        return pixel_ids - {""}

    @api.model
    def _pixel_ids_in_use(self):
        """Return the pixels that events of any website go to, a set.

        The common ones need not be among them, where each website has its own. They
        are, as long as an event of no website waits for them.
        """
        websites = self.env["website"].sudo().search([])
        used = set().union(*map(self._pixel_ids, websites))
        waiting = [("state", "=", "pending"), ("website_id", "=", False)]
        for pixel_id in self._pixel_ids() - used:
            events = self.env["meta.capi.event"].sudo()
            if events.search([*waiting, ("pixel_id", "=", pixel_id)], limit=1):
                used.add(pixel_id)
        return used

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
        common_pixel, common_token = self._get(PIXEL_ID), self._get(ACCESS_TOKEN)
        websites = self.env["website"].sudo().search([])
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
    def _app_secret(self):
        """Return the secret that requests are signed with, or ``""``."""
        return self._get(APP_SECRET)

    @api.model
    def _graph_client(self):
        """Return the client of the configured Graph.

        :raise InvalidParameter: the base URL or the version is not usable
        """
        return GraphClient(
            self._get(GRAPH_URL, const.GRAPH_URL),
            self._get(API_VERSION, const.API_VERSION),
            app_secret=self._app_secret(),
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
    def _user_data_retention_days(self):
        """Return the days personal data of a finished event is kept; negative: with it."""
        return self._get_integer(
            USER_DATA_RETENTION_DAYS, DEFAULT_USER_DATA_RETENTION_DAYS
        )

    @api.model
    def _withheld_user_data(self):
        """Return the keys of ``user_data`` that the shop has chosen not to send."""
        chosen = self._get(USER_DATA_KEYS)
        if not chosen:
            return frozenset()
        return frozenset(CHOSEN_USER_DATA_KEYS) - set(_split(chosen))

    @api.model
    def _is_on(self, key):
        """Tell whether a switch is on that is so unless it says no."""
        return self._get(key) not in _NO

    @api.model
    def _sends_without_browser(self):
        """Tell whether events about records that no browser made may be sent."""
        return self._is_on(WITHOUT_BROWSER)

    @api.model
    def _limited_data_use(self):
        """Return ``off``, ``always`` or ``state``."""
        mode = self._get(LIMITED_DATA_USE, "off")
        # What cannot be read limits more rather than less.
        return mode if mode in LIMITED_DATA_USES else "always"

    @api.model
    def _value_includes_tax(self):
        return self._is_on(VALUE_INCLUDES_TAX)

    @api.model
    def _value_includes_shipping(self):
        return self._is_on(VALUE_INCLUDES_SHIPPING)

    @api.model
    def _excludes_internal_users(self):
        return self._is_on(EXCLUDE_INTERNAL_USERS)

    @api.model
    def _excludes_zero_orders(self):
        return self._is_on(EXCLUDE_ZERO_ORDERS)

    @api.model
    def _excludes_test_payments(self):
        return self._is_on(EXCLUDE_TEST_PAYMENTS)

    @api.model
    def _excluded_tag_ids(self):
        """Return the ids of the tags whose customers nothing is sent about."""
        ids = _split(self._get(EXCLUDED_TAG_IDS))
        return {int(tag_id) for tag_id in ids if tag_id.isascii() and tag_id.isdigit()}

    @api.model
    def _content_id_field(self):
        """Return the field of ``product.product`` the catalogue knows products by."""
        field = self._get(CONTENT_ID, CONTENT_IDS[0])
        return field if field in CONTENT_IDS else CONTENT_IDS[0]

    @api.model
    def _content_type(self):
        """Return what the catalogue's ids are the ids of, in Meta's words."""
        is_group = self._content_id_field() == "product_tmpl_id"
        return "product_group" if is_group else "product"

    @api.model
    def _is_bridge_enabled(self, website=None):
        return self._get(BRIDGE_ENABLED, website=website) in _YES

    @api.model
    def _bridge_events(self, website=None):
        """Return the names of the events that the bridge may record."""
        names = _split(self._get(BRIDGE_EVENTS, website=website))
        return tuple(names) or STANDARD_EVENTS

    @api.model
    def _pixel_mode(self, website=None):
        """Return ``page``, ``load`` or ``server``."""
        mode = self._get(PIXEL_MODE, website=website)
        return mode if mode in PIXEL_MODES else PIXEL_MODES[0]

    @api.model
    def _consent_source(self, website=None):
        """Return who asks visitors for consent: ``odoo``, ``external`` or ``none``."""
        source = self._get(CONSENT_SOURCE, CONSENT_SOURCES[0], website)
        # What cannot be read asks for more rather than less.
        return source if source in CONSENT_SOURCES else "external"

    @api.model
    def _edits_website(self, website):
        """Tell whether what is set for ``website`` is set for it alone.

        The only website has no need of values beside the common ones.
        """
        return bool(website) and self.env["website"].sudo().search_count([]) > 1

    @api.model
    def _set(self, key, value, website):
        """Set a value for ``website``, or for all where it is the only one.

        :param value: a text; empty takes away the website's own, and where there is no
            other website the common one
        """
        own, field = website.sudo(), WEBSITE_FIELDS[key]
        if not self._edits_website(website):
            self.env["ir.config_parameter"].sudo().set_param(key, value or False)
            if not own[field]:
                return
        own[field] = value or False

    @api.model
    def _check(self, key, value):
        """Return ``value`` as it is to be stored under ``key``.

        :raise InvalidParameter: the value cannot be used
        """
        value = value.strip()
        check = _CHECKS.get(key)
        return check(key, value) if check and value else value


def _split(names):
    """Return the names of a list that is written with commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def _check_digits(key, value):
    if not (value.isascii() and value.isdigit()):
        raise InvalidParameter(key, "must be digits only")
    return value


def _check_id_list(key, value):
    ids = _split(value)
    if not all(number.isascii() and number.isdigit() for number in ids):
        raise InvalidParameter(key, "must be IDs, digits separated by commas")
    return ",".join(ids)


def _check_secret(key, value):
    value = clean_secret(value)
    if any(map(str.isspace, value)):
        raise InvalidParameter(key, "must not contain white space")
    if not value.isascii():
        raise InvalidParameter(key, "must be letters and digits")
    return value


def _check_token(key, value):
    value = _check_secret(key, value)
    if value.isdigit():
        raise InvalidParameter(key, "is digits only, like a pixel ID")
    return value


def _check_test_code(key, value):
    if not value.isprintable() or any(map(str.isspace, value)):
        raise InvalidParameter(key, "must not contain white space")
    if len(value) > const.MAX_NAME_LENGTH:
        raise InvalidParameter(
            key, f"must be of up to {const.MAX_NAME_LENGTH} characters"
        )
    return value


def _check_date(key, value):
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise InvalidParameter(key, "must be a date such as 2027-01-31") from None


def _check_integer(key, value):
    try:
        int(value)
    except ValueError:
        raise InvalidParameter(key, "must be a whole number") from None
    return value


def _check_names(key, value):
    if any(len(name) > const.MAX_NAME_LENGTH for name in _split(value)):
        raise InvalidParameter(
            key, f"must be names of up to {const.MAX_NAME_LENGTH} characters"
        )
    return value


def _check_graph_url(key, value):
    GraphClient(graph_url=value)
    return value


def _check_api_version(key, value):
    GraphClient(api_version=value)
    return value


def _one_of(*choices):
    def check(key, value):
        if value not in choices:
            raise InvalidParameter(key, f"must be one of {', '.join(choices)}")
        return value

    return check


def _some_of(*choices):
    def check(key, value):
        if not set(_split(value)) <= set(choices):
            raise InvalidParameter(key, f"must be names among {', '.join(choices)}")
        return value

    return check


# How each parameter is read before it is stored; others are taken as they are.
_CHECKS = {
    PIXEL_ID: _check_digits,
    EXTRA_PIXEL_IDS: _check_id_list,
    ACCESS_TOKEN: _check_token,
    APP_SECRET: _check_secret,
    TEST_EVENT_CODE: _check_test_code,
    API_VERSION: _check_api_version,
    GRAPH_URL: _check_graph_url,
    BATCH_DELAY: _check_integer,
    RETENTION_DAYS: _check_integer,
    USER_DATA_RETENTION_DAYS: _check_integer,
    USER_DATA_KEYS: _some_of(*CHOSEN_USER_DATA_KEYS),
    LIMITED_DATA_USE: _one_of(*LIMITED_DATA_USES),
    CONTENT_ID: _one_of(*CONTENT_IDS),
    PIXEL_MODE: _one_of(*PIXEL_MODES),
    PURCHASE_TRIGGER: _one_of("never", *PURCHASE_TRIGGERS),
    CONSENT_SOURCE: _one_of(*CONSENT_SOURCES),
    BRIDGE_EVENTS: _check_names,
    EXCLUDED_TAG_IDS: _check_id_list,
    TOKEN_SET_ON: _check_date,
    TOKEN_EXPIRES_ON: _check_date,
    **dict.fromkeys(
        (
            *(WITHOUT_BROWSER, VALUE_INCLUDES_TAX, VALUE_INCLUDES_SHIPPING),
            *(EXCLUDE_INTERNAL_USERS, EXCLUDE_ZERO_ORDERS, EXCLUDE_TEST_PAYMENTS),
            *(ALERT_QUALITY, ALERT_COVERAGE, ALERT_DIAGNOSTICS),
        ),
        _one_of(*_YES, *_NO),
    ),
}
