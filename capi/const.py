"""Names, limits and defaults of Meta's Conversions API.

DOCS is https://developers.facebook.com/documentation/ads-commerce/conversions-api
"""

GRAPH_URL = "https://graph.facebook.com"
# https://developers.facebook.com/docs/graph-api/changelog/versions
API_VERSION = "v26.0"

# {DOCS}/using-the-api: "You can send up to 1,000 events in data."
MAX_EVENTS = 1000
# No limit is documented; other senders report refusals above about 1 MB.
MAX_BYTES = 1_000_000
# {DOCS}/guides/end-to-end-implementation: fewer than 23 characters, two letters or more.
PARTNER_AGENT = "ih-odoo-capi-3"
# Longer ids and names are of no use to anybody and would bloat the unique index.
MAX_NAME_LENGTH = 100

DAY = 24 * 3600

# Clocks differ. Not documented; events further ahead are refused (100/2804004).
CLOCK_SKEW = 60

# {DOCS}/parameters/server-event, "action_source"
ACTION_SOURCES = frozenset(
    """
    app business_messaging chat email other phone_call physical_store
    system_generated website
    """.split()
)

# {DOCS}/best-practices: user_data of nothing but one of these sets is refused as too
# broad to be one person's (100/2804050).
BROAD_USER_DATA = (
    frozenset("ct country st zp ge client_user_agent".split()),
    frozenset("db client_user_agent".split()),
    frozenset("fn ge".split()),
    frozenset("ln ge".split()),
)

# Our own limits, so that no single event can fill a request or the table.
MAX_TEXT_LENGTH = 2048  # characters of a URL, a user agent, a name
MAX_VALUES = 100  # values of one key of user_data
MAX_ITEMS = 10_000  # ids or contents
MAX_CUSTOM_DATA_LENGTH = 250_000  # characters; an order of some 2,500 lines
MAX_DEPTH = 10  # of lists and dictionaries inside one another
MAX_INTEGER = 2**63 - 1
MAX_PROBLEMS = 20  # said about one event

# ISO 4217 as of 2026, and what it withdrew since 2023: orders of that time remain.
CURRENCIES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV
    BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE
    CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
    HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD
    KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD
    RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST
    XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XUA YER ZAR ZMW ZWG
    ZWL
    """.split()
)
