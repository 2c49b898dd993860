"""The settings, each declared once.

Key, kind, default, check, words and whether a website may have its own: from here follow
how a setting is read and stored (``meta.capi.config``), the fields of the settings page
and of a website, what is hidden from logs, and the table in ``docs/operator.md``, which
a test compares.
"""

from dataclasses import KW_ONLY, dataclass
from datetime import date

from odoo import fields

from ...capi import const
from ...capi.client import GraphClient
from ...capi.errors import InvalidParameter
from ...capi.secret import clean_secret
from ..common.standard_events import STANDARD_EVENTS

PREFIX = "meta_capi."
_YES = ("True", "true", "1")
_NO = ("False", "false", "0")


@dataclass(frozen=True, eq=False)
class Setting:
    """A setting, stored as text in a System Parameter and, of its own, by a website.

    :param name: of the key after ``meta_capi.``, and of the fields after ``meta_capi_``
    :param label: of its fields
    :param help: of its field in the settings
    :param default: what is read where nothing is stored
    :param is_per_website: a website may have a value of its own
    :param resumes: a stopped pixel may have been waiting for another value
    """

    name: str
    _: KW_ONLY
    label: str = ""
    help: str = ""
    default: object = ""
    is_per_website: bool = False
    resumes: bool = False

    is_secret = False

    @property
    def key(self):
        return PREFIX + self.name

    @property
    def field_name(self):
        return f"meta_capi_{self.name}"

    def check(self, text):
        """Return ``text`` as it is to be stored; empty takes the value away.

        :raise InvalidParameter: it cannot be used
        """
        text = text.strip()
        return self._checked(text) if text else text

    def _checked(self, text):
        return text

    def _refuse(self, reason):
        raise InvalidParameter(self.key, reason)

    def parse(self, text):
        """Return the value that ``text`` stands for, stripped or empty."""
        return text or self.default

    def shown(self, text):
        """Return what the settings page shows for what is stored."""
        return text

    def stored(self, value):
        """Return the text that a field's value is stored as."""
        return str(value) if value else ""

    def settings_field(self, **options):
        """Return the field of the settings page."""
        return fields.Char(self.label, help=self.help or None, **options)

    def website_field(self):
        """Return the field for a website's own value; empty, the common one counts."""
        return self._website_field(
            string=self.label,
            help=self.help or None,
            groups="base.group_system",
            copy=False,
        )

    def _website_field(self, **options):
        return fields.Char(**options)


class Digits(Setting):
    """An ID of Meta's."""

    def _checked(self, text):
        if not (text.isascii() and text.isdigit()):
            self._refuse("must be digits only")
        return text


class Ids(Setting):
    """IDs, separated by commas; read as a tuple."""

    def _checked(self, text):
        ids = split(text)
        if not all(number.isascii() and number.isdigit() for number in ids):
            self._refuse("must be IDs, digits separated by commas")
        return ",".join(ids)

    def parse(self, text):
        return split(text)


class Names(Setting):
    """Names, separated by commas; read as a tuple."""

    def _checked(self, text):
        if any(len(name) > const.MAX_NAME_LENGTH for name in split(text)):
            self._refuse(f"must be names of up to {const.MAX_NAME_LENGTH} characters")
        return text

    def parse(self, text):
        return split(text) or self.default


@dataclass(frozen=True, eq=False)
class NamesAmong(Names):
    """Some of a few names."""

    _: KW_ONLY
    choices: tuple

    def _checked(self, text):
        if not set(split(text)) <= set(self.choices):
            self._refuse(f"must be names among {', '.join(self.choices)}")
        return text


class Secret(Setting):
    """What no log may show."""

    is_secret = True

    def _checked(self, text):
        text = clean_secret(text)
        if any(map(str.isspace, text)):
            self._refuse("must not contain white space")
        if not text.isascii():
            self._refuse("must be letters and digits")
        return text


class Token(Secret):
    def _checked(self, text):
        text = super()._checked(text)
        if text.isdigit():
            self._refuse("is digits only, like a pixel ID")
        return text


class TestCode(Setting):
    def _checked(self, text):
        if not text.isprintable() or any(map(str.isspace, text)):
            self._refuse("must not contain white space")
        if len(text) > const.MAX_NAME_LENGTH:
            self._refuse(f"must be of up to {const.MAX_NAME_LENGTH} characters")
        return text


class GraphUrl(Setting):
    def _checked(self, text):
        GraphClient(graph_url=text)
        return text


class ApiVersion(Setting):
    def _checked(self, text):
        GraphClient(api_version=text)
        return text


@dataclass(frozen=True, eq=False)
class Integer(Setting):
    """A whole number; what is less than ``minimum`` counts as that."""

    _: KW_ONLY
    minimum: int | None = None

    def _checked(self, text):
        try:
            int(text)
        except ValueError:
            self._refuse("must be a whole number")
        return text

    def parse(self, text):
        try:
            number = int(text)
        except ValueError:
            return self.default
        return number if self.minimum is None else max(self.minimum, number)


class Day(Setting):
    """A date; read as one, or False."""

    def _checked(self, text):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            return self._refuse("must be a date such as 2027-01-31")

    def parse(self, text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return False


@dataclass(frozen=True, eq=False)
class Choice(Setting):
    """One of a few.

    :param choices: their labels
    :param fallback: what counts where the text is none of them; else the default
    """

    _: KW_ONLY
    choices: dict
    fallback: str = ""

    def _checked(self, text):
        if text not in self.choices:
            self._refuse(f"must be one of {', '.join(self.choices)}")
        return text

    def parse(self, text):
        if text and text not in self.choices:
            return self.fallback or self.default
        return text or self.default

    def shown(self, text):
        return self.parse(text)

    def settings_field(self, **options):
        return fields.Selection(
            list(self.choices.items()), self.label, help=self.help or None, **options
        )

    def _website_field(self, **options):
        return fields.Selection(list(self.choices.items()), **options)


@dataclass(frozen=True, eq=False)
class Switch(Setting):
    """On or off. What is off by default is so unless it says yes, whatever it says."""

    _: KW_ONLY
    default: bool = False

    def _checked(self, text):
        if self.default and text not in _YES + _NO:
            self._refuse(f"must be one of {', '.join(_YES + _NO)}")
        return text

    def parse(self, text):
        return text not in _NO if self.default else text in _YES

    def shown(self, text):
        return self.parse(text)

    def stored(self, value):
        # A website's own is text already, so that no, too, is a value.
        return str(value)

    def settings_field(self, **options):
        return fields.Boolean(self.label, help=self.help or None, **options)

    def _website_field(self, **options):
        # No, too, is a value of its own.
        return fields.Selection([("True", "On"), ("False", "Off")], **options)


def split(names):
    """Return the names of a list that is written with commas, a tuple."""
    return tuple(name.strip() for name in names.split(",") if name.strip())


ENABLED = Switch("enabled", label="Meta Conversions API", resumes=True)
PIXEL_ID = Digits("pixel_id", label="Meta Pixel ID", is_per_website=True, resumes=True)
EXTRA_PIXEL_IDS = Ids(
    "extra_pixel_ids",
    label="Pixels for copies",
    help="IDs, separated by commas, of pixels that get a copy of each event. The"
    " access token has to have access to them, too.",
    is_per_website=True,
    resumes=True,
)
ACCESS_TOKEN = Token(
    "access_token", label="Access Token", is_per_website=True, resumes=True
)
APP_SECRET = Secret(
    "app_secret",
    label="App Secret",
    help="Only where the app at Meta that the token belongs to asks for it: Require"
    " App Secret, in its advanced settings.",
    resumes=True,
)
TEST_EVENT_CODE = TestCode(
    "test_event_code", label="Test Event Code", is_per_website=True, resumes=True
)
API_VERSION = ApiVersion("api_version", default=const.API_VERSION, resumes=True)
GRAPH_URL = GraphUrl("graph_url", default=const.GRAPH_URL, resumes=True)
# Seconds that a delivery waits so that events gather.
BATCH_DELAY = Integer("batch_delay", default=5, minimum=0)
# Days; negative: for ever.
RETENTION_DAYS = Integer("retention_days", default=90)
# Days that personal data of a finished event is kept; negative: as long as the event.
USER_DATA_RETENTION_DAYS = Integer("user_data_retention_days", default=30)
# The keys of user_data that the addon fills in by itself, so that they can be chosen.
USER_DATA_KEYS = NamesAmong(
    "user_data_keys",
    choices=(
        *("em", "ph", "fn", "ln", "ct", "st", "zp", "country", "external_id"),
        *("client_ip_address", "client_user_agent", "fbc", "fbp"),
    ),
)
# What the catalogue at Meta knows a product by: a field of product.product.
CONTENT_ID = Choice(
    "content_id",
    label="Product ID in the catalogue",
    help="By what the shop's catalogue at Meta knows its products.",
    default="product_id",
    choices={
        "product_id": "Database ID of the variant",
        "product_tmpl_id": "Database ID of the product",
        "default_code": "Internal reference",
        "barcode": "Barcode",
    },
)
VALUE_INCLUDES_TAX = Switch(
    "value_includes_tax", label="Value includes tax", default=True
)
VALUE_INCLUDES_SHIPPING = Switch(
    "value_includes_shipping",
    label="Value includes delivery",
    help="What delivery costs is spread over the products, so that their prices add"
    " up to the value.",
    default=True,
)
LIMITED_DATA_USE = Choice(
    "limited_data_use",
    label="Limited Data Use",
    help="Tells Meta to process the data of people in some US states as a service"
    " provider only.",
    default="off",
    # What cannot be read limits more rather than less.
    fallback="always",
    choices={
        "off": "Never",
        "state": "For customers in US states that have a privacy law",
        "always": "Always",
    },
)
PURCHASE_TRIGGER = Choice(
    "purchase_trigger",
    label="Send Purchase when",
    help="Of orders of a website. However this changes, an order is one Purchase.\n"
    "Paid in full: payment transactions, authorized ones included, or paid invoices"
    " cover the total.",
    choices={
        "never": "Never",
        "confirmed": "The order is confirmed",
        "paid": "The order is paid in full",
        "invoiced": "The order is first invoiced",
    },
    is_per_website=True,
)
CONSENT_SOURCE = Choice(
    "consent_source",
    label="Visitors are asked for consent by",
    help="The website's cookies bar: where it is on, nothing is told before a visitor"
    " has accepted optional cookies.\n"
    "Another consent tool: nothing is told, kept or set until it says yes.",
    default="odoo",
    # What cannot be read asks for more rather than less.
    fallback="external",
    choices={
        "odoo": "The website's cookies bar",
        "external": "Another consent tool",
        "none": "Nobody",
    },
    is_per_website=True,
)
BRIDGE_ENABLED = Switch(
    "bridge_enabled",
    label="Send the browser's events from the server, too",
    help="Each event of the shop's pages reaches Meta from both ends under one ID, and"
    " is counted once; the server's copy also where the browser's is blocked.",
    is_per_website=True,
)
# Who loads the Pixel and makes the funnel's events: some script of the page, whose calls
# are mirrored; we; or nobody, and the events go from the server only.
PIXEL_MODE = Choice(
    "pixel_mode",
    label="Meta Pixel on the pages",
    default="page",
    choices={
        "page": "The website loads it already",
        "load": "Load it, and send the shop's events with it",
        "server": "None: send the shop's events from the server only",
    },
    is_per_website=True,
)
BRIDGE_EVENTS = Names(
    "bridge_events",
    label="Events taken from the pages",
    help="Names, separated by commas. Empty: all standard events of Meta.",
    default=STANDARD_EVENTS,
    is_per_website=True,
)
SEND_WITHOUT_BROWSER = Switch(
    "send_without_browser",
    label="Send events of documents that no browser made",
    help="Orders taken by phone, entered in the back office or imported: no visitor"
    " was asked for consent. In the EU, the UK and other countries you need another"
    " legal basis to send them, such as a consent that you have on file. That is for"
    " you to judge. Orders of customers with “No Events to Meta” are never sent.",
    default=True,
)
EXCLUDE_INTERNAL_USERS = Switch(
    "exclude_internal_users", label="Customers who are internal users", default=True
)
EXCLUDE_ZERO_ORDERS = Switch(
    "exclude_zero_orders", label="Orders with nothing to pay", default=True
)
EXCLUDE_TEST_PAYMENTS = Switch(
    "exclude_test_payments",
    label="Purchases paid through a provider in test mode",
    default=True,
)
EXCLUDED_TAG_IDS = Ids("excluded_tag_ids")
ALERT_QUALITY = Switch(
    "alert_quality",
    label="The match quality of Purchase falls",
    help="By more than 1 within a week.",
    default=True,
)
ALERT_COVERAGE = Switch(
    "alert_coverage",
    label="Event coverage stays under Meta's goal",
    help="For three days.",
    default=True,
)
ALERT_DIAGNOSTICS = Switch(
    "alert_diagnostics",
    label="Meta finds a new fault in the events",
    default=True,
)
# Of the common access token; those of a website's own are with the website.
TOKEN_SET_ON = Day("access_token_set_on")
TOKEN_EXPIRES_ON = Day("access_token_expires_on")

ALL = tuple(value for value in globals().values() if isinstance(value, Setting))
BY_KEY = {setting.key: setting for setting in ALL}
BY_FIELD = {setting.field_name: setting for setting in ALL}
# What a website may have of its own.
PER_WEBSITE = tuple(setting for setting in ALL if setting.is_per_website)
