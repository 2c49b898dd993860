"""Who may speak to the bridge at all: a page of the shop itself, and not too often."""

from ipaddress import IPv6Address, ip_address

from ...capi.url import is_same_host
from .rate_limit import RateLimit

# A visitor makes two or three events a page, and up to fifty at once when the consent
# comes that they were waiting for. Many visitors can come from the one address of a
# company. Both limits count in each worker process by itself: with four workers, four
# times as much can get through.
VISITOR_LIMIT = RateLimit(rate=1, burst=60, max_keys=10_000)
# An event costs its worker a few milliseconds: so all of them together, a tenth of it.
TOTAL_LIMIT = RateLimit(rate=20, burst=200)


def refusal(httprequest):
    """Return the HTTP status with which the request is refused, None if it is not."""
    if not _is_same_origin(httprequest):
        return 403
    if not VISITOR_LIMIT.allows(client_key(httprequest.remote_addr)):
        return 429
    if not TOTAL_LIMIT.allows():
        return 429
    return None


def _is_same_origin(httprequest):
    """Tell whether the request comes from a page of this very host."""
    headers = httprequest.headers
    origin = headers.get("Origin")
    site = headers.get("Sec-Fetch-Site")
    if origin is None and site is not None:
        return site == "same-origin"
    return is_same_host(origin or httprequest.referrer, httprequest.host)


def client_key(address):
    """Return what stands for one client: of IPv6, its network has them all.

    >>> client_key("2001:db8::1") == client_key("2001:db8::2")
    True
    """
    try:
        found = ip_address(address or "")
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and not found.ipv4_mapped:
        return found.packed[:8]
    return getattr(found, "ipv4_mapped", None) or found
