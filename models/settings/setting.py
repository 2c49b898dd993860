"""The settings, each declared once.

Key, default, words and whether a website may have its own, of the kinds in
``setting_kinds.py``: from here follow how a setting is read and stored
(``meta.capi.config``), the fields of the settings page and of a website, what is hidden
from logs, and the table in ``docs/operator.md``, which a test compares.
"""

from ...capi import const
from ..common.standard_events import STANDARD_EVENTS
from .setting_kinds import (
    ApiVersion,
    Choice,
    Day,
    Digits,
    GraphUrl,
    Ids,
    Integer,
    Names,
    NamesAmong,
    Secret,
    Setting,
    Switch,
    TestCode,
    Token,
)

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
# What the catalogue at Meta knows a product by: a field of product.product, or whatever
# Odoo's own feed for catalogues takes.
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
        "product_feed": "As in the product feed of Odoo",
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
VALUE = Choice(
    "value",
    label="Value of a sale",
    help="Meta optimises ads for it. The margin is that of the products, without tax and"
    " delivery, and 0 where it is negative. No page of the shop tells it: the Purchase"
    " then goes from the server only.",
    default="total",
    choices={"total": "What the customer pays", "margin": "The margin"},
)
NET_REVENUE = Switch(
    "net_revenue",
    label="Tell Meta the margin beside the value",
    help="As net_revenue, where it is more than 0. No page of the shop tells it.",
)
CUSTOMER_SEGMENTATION = Switch(
    "customer_segmentation",
    label="Tell Meta whether the customer is new",
    help="With each Purchase: new is a customer, or the company a contact belongs to,"
    " who has bought nothing from you before, neither on the website nor at the counter"
    " nor by an invoice.",
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
    " cover the total.\n"
    "Delivered in full: nothing of its goods is still to be delivered, such as for cash"
    " on delivery.",
    choices={
        "never": "Never",
        "confirmed": "The order is confirmed",
        "paid": "The order is paid in full",
        "invoiced": "The order is first invoiced",
        "delivered": "The order is delivered in full",
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
