"""Names, limits and defaults of Meta's Conversions API.

DOCS is https://developers.facebook.com/documentation/ads-commerce/conversions-api
"""

GRAPH_URL = "https://graph.facebook.com"
# https://developers.facebook.com/docs/graph-api/changelog/versions
API_VERSION = "v26.0"

# {DOCS}/using-the-api: "You can send up to 1,000 events in data."
MAX_EVENTS = 1000
# No limit is documented; other senders report refusals above about 1 MB.
MAX_REQUEST_BYTES = 1_000_000
# What stands in a log where a token stood.
REDACTED = "[access token]"
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

# What happens on no page: of the browser that is known of the person, the page is left
# out. {DOCS}/conversion-leads-integration/payload-specification names no page, and
# {DOCS}/parameters/customer-information-parameters asks for none in a messenger.
SOURCES_WITHOUT_PAGE = ("system_generated", "business_messaging")

# {DOCS}/parameters/server-event, "customer_segmentation"
CUSTOMER_SEGMENTATIONS = frozenset(
    """
    customer_in_loyalty_program
    existing_customer_to_business existing_customer_to_business_line
    existing_customer_to_medium existing_customer_to_product_area
    new_customer_to_business new_customer_to_business_line new_customer_to_medium
    new_customer_to_product_area
    """.split()
)
MESSAGING_CHANNELS = frozenset("instagram messenger whatsapp".split())

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

# No click ID of Meta's is known to come near; a URL may hold anything.
MAX_FBCLID_LENGTH = 500

# https://developers.facebook.com/documentation/ads-commerce/marketing-api/overview/data-processing-options
# The US, and the states whose laws Limited Data Use serves.
LDU_COUNTRY = 1
LDU_STATES = {
    "ca": 1000,
    "co": 1001,
    "ct": 1002,
    "fl": 1003,
    "or": 1004,
    "tx": 1005,
    "mt": 1006,
    "de": 1007,
    "ne": 1008,
    "nh": 1009,
    "nj": 1010,
    "mn": 1011,
    "md": 1012,
    "ri": 1013,
}

# Countries below whose top-level domain everybody registers, but for domains such as
# co.uk: of three letters or fewer, or one of the words. In all other countries towns,
# trades or everything (as in *.ck) may be domains that strangers share.
FLAT_COUNTRIES = frozenset(
    "ae at au be ca ch cl cn cz de dk ee es eu fi fr gr ie io li lt lu lv me mx nl nz pt"
    " se sg si sk tr uk za".split()
)
SECOND_LEVEL_LABELS = frozenset(
    """
    agric aland asso avoues brand conf fhsk geek gouv govt greta grondar health
    huissier-justice info kiwi komforb kommunalforbund komvux lanbib maori name
    naturbruksgymn nome parliament parti police press priv publ riik school
    """.split()
)
# Domains of companies that give each customer a name below them, and some that are
# divided once more.
PUBLIC_SUFFIXES = frozenset(
    """
    africa.com amazonaws.com app.github.dev appspot.com awsapprunner.com azurefd.net
    azurewebsites.net blogspot.com cleverapps.io cloudapp.azure.com cloudapp.net
    cloudfront.net cloudns.eu ddns.net duckdns.org dyndns.org edu.au
    elasticbeanstalk.com eu.org fastly.net firebaseapp.com fly.dev github.io
    gitlab.io gitpod.io gov.au herokuapp.com hf.space hopto.org hostingersite.com
    jpn.com lhr.life lima-city.at loca.lt localhost localtunnel.me mex.com myds.me
    myshopify.com netlify.app ngrok-free.app ngrok-free.dev ngrok.app ngrok.dev
    ngrok.io nip.io no-ip.org odoo.com odoo.sh ondigitalocean.app onrender.com
    pages.dev platformsh.site plesk.page r2.dev railway.app render.com repl.co
    replit.app replit.dev run.app sch.uk scw.cloud serveo.net squarespace.com
    sslip.io surge.sh synology.me traefik.me trafficmanager.net trycloudflare.com
    ts.net vercel.app web.app webflow.io weebly.com wixsite.com wordpress.com
    workers.dev zapto.org
    """.split()
)

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
