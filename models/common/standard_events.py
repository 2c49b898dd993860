"""What Meta's standard events are for, and what Meta wants them to tell.

https://developers.facebook.com/docs/meta-pixel/reference, "Standard events", and
https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/custom-data
"""

from dataclasses import dataclass

STANDARD_EVENTS = (
    *("AddPaymentInfo", "AddToCart", "AddToWishlist", "CompleteRegistration"),
    *("Contact", "CustomizeProduct", "Donate", "FindLocation", "InitiateCheckout"),
    *("Lead", "PageView", "Purchase", "Schedule", "Search", "StartTrial"),
    *("SubmitApplication", "Subscribe", "ViewContent"),
)
PURCHASE = "Purchase"
CHECKOUT = "InitiateCheckout"
# What an event about money that is given back goes by inside, whatever its name.
MONEY_BACK = "money back"
# What somebody pays for, or is going to.
SALES = (PURCHASE, "StartTrial", "Subscribe")
# What has an id that is made of the order's, and may be told by a browser.
ONCE_PER_ORDER = (CHECKOUT, "AddPaymentInfo")
# What is made in apps that are not depended on, and what Meta calls that; of a
# subscription to a newsletter: "A person submits a completed subscription or signup
# form." Its own event Subscribe is of what is paid for.
EVENT_BY_CREATION = {
    "mailing.subscription": "CompleteRegistration",
    "product.wishlist": "AddToWishlist",
}

_PRODUCTS = ("contents", "content_ids", "content_type")
_MONEY = ("value", "currency")


@dataclass(frozen=True)
class StandardEvent:
    """The keys of ``custom_data`` of an event that Meta knows by its name."""

    required: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    # Whether a catalogue's products can be advertised to whom it happened.
    is_about_products: bool = False


_KNOWN = {
    "AddPaymentInfo": StandardEvent(taken=(*_MONEY, *_PRODUCTS[:2])),
    "AddToCart": StandardEvent(taken=(*_MONEY, *_PRODUCTS), is_about_products=True),
    "AddToWishlist": StandardEvent(taken=(*_MONEY, *_PRODUCTS[:2])),
    "CompleteRegistration": StandardEvent(taken=(*_MONEY, "status")),
    CHECKOUT: StandardEvent(taken=(*_MONEY, *_PRODUCTS[:2], "num_items")),
    "Lead": StandardEvent(taken=_MONEY),
    "Purchase": StandardEvent(
        required=_MONEY, taken=(*_PRODUCTS, "num_items"), is_about_products=True
    ),
    "Search": StandardEvent(
        taken=(*_MONEY, *_PRODUCTS, "search_string"), is_about_products=True
    ),
    "StartTrial": StandardEvent(taken=(*_MONEY, "predicted_ltv")),
    "Subscribe": StandardEvent(taken=(*_MONEY, "predicted_ltv")),
    "ViewContent": StandardEvent(taken=(*_MONEY, *_PRODUCTS), is_about_products=True),
}
# The others tell that something happened, and nothing else.
EVENTS = {name: _KNOWN.get(name, StandardEvent()) for name in STANDARD_EVENTS}


def standard_name(name):
    """Return Meta's own spelling of an event, or None: Meta compares names exactly.

    >>> standard_name("purchase"), standard_name("add to cart"), standard_name("Refund")
    ('Purchase', 'AddToCart', None)
    """
    plain = "".join(filter(str.isalnum, name)).casefold()
    return next((known for known in EVENTS if known.casefold() == plain), None)
