from odoo import api, models

from ..capi import const
from ..capi.client import GraphClient
from ..capi.errors import InvalidParameter

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
EXCLUDE_INTERNAL_USERS = "meta_capi.exclude_internal_users"
EXCLUDE_ZERO_ORDERS = "meta_capi.exclude_zero_orders"
EXCLUDE_TEST_PAYMENTS = "meta_capi.exclude_test_payments"
EXCLUDED_TAG_IDS = "meta_capi.excluded_tag_ids"

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
# Who loads the Pixel and makes the funnel's events: some script of the page, whose
# calls are mirrored; we; or nobody, and the events go from the server only.
PIXEL_MODES = ("page", "load", "server")
# https://developers.facebook.com/docs/meta-pixel/reference, "Standard events"
STANDARD_EVENTS = (
    *("AddPaymentInfo", "AddToCart", "AddToWishlist", "CompleteRegistration"),
    *("Contact", "CustomizeProduct", "Donate", "FindLocation", "InitiateCheckout"),
    *("Lead", "PageView", "Purchase", "Schedule", "Search", "StartTrial"),
    *("SubmitApplication", "Subscribe", "ViewContent"),
)


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
        return self._get(ENABLED) in _YES

    @api.model
    def _pixel_id(self, website=None):
        """Return the pixel that events of ``website`` (or of none) go to, or ``""``."""
        return (website and website.sudo().meta_capi_pixel_id) or self._get(PIXEL_ID)

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
        # A pixel that gets copies is asked for with the token of the one they are of.
        for website in websites.filtered("meta_capi_access_token"):
            if pixel_id in self._extra_pixel_ids(website):
                return website.meta_capi_access_token
        shared = {shared_pixel, *self._extra_pixel_ids()}
        for website in websites:
            shared.update((website.meta_capi_pixel_id, *self._extra_pixel_ids(website)))
        return shared_token if pixel_id in shared else ""

    @api.model
    def _graph_client(self):
        """Return the client of the configured Graph.

        :raise InvalidParameter: the base URL or the version is not usable
        """
        return GraphClient(
            self._get(GRAPH_URL, const.GRAPH_URL),
            self._get(API_VERSION, const.API_VERSION),
            app_secret=self._get(APP_SECRET),
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
    def _is_bridge_enabled(self):
        return self._get(BRIDGE_ENABLED) in _YES

    @api.model
    def _bridge_events(self):
        """Return the names of the events that the bridge may record."""
        return tuple(_split(self._get(BRIDGE_EVENTS))) or STANDARD_EVENTS

    @api.model
    def _pixel_mode(self):
        """Return ``page``, ``load`` or ``server``."""
        mode = self._get(PIXEL_MODE)
        return mode if mode in PIXEL_MODES else PIXEL_MODES[0]

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


def _check_token(key, value):
    if any(map(str.isspace, value)):
        raise InvalidParameter(key, "must not contain white space")
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
    BRIDGE_EVENTS: _check_names,
    EXCLUDED_TAG_IDS: _check_id_list,
    **dict.fromkeys(
        (
            *(WITHOUT_BROWSER, VALUE_INCLUDES_TAX, VALUE_INCLUDES_SHIPPING),
            *(EXCLUDE_INTERNAL_USERS, EXCLUDE_ZERO_ORDERS, EXCLUDE_TEST_PAYMENTS),
        ),
        _one_of(*_YES, *_NO),
    ),
}
