"""How fast Meta's own library for Python sends events: it stores nothing.

From a shop's raw data to the request, a thousand events each. Run by a Python that has
``facebook_business``, and no Odoo.
"""

# mypy: ignore-errors
import json
import sys
import time

from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession

from . import data as bench_data

# Ours by theirs.
_USER_DATA = {
    "em": "email",
    "ph": "phone",
    "fn": "first_name",
    "ln": "last_name",
    "ct": "city",
    "st": "state",
    "zp": "zip_code",
    "country": "country_code",
}


def send(url, pixel_id, count, batch):
    """Send events; return how many, and the seconds it took."""
    FacebookSession.GRAPH = url
    FacebookAdsApi.init(access_token="none", crash_log=False)
    purchases = [bench_data.purchase(number) for number in range(count)]
    sent = 0
    start = time.perf_counter()
    for first in range(0, count, batch):
        events = list(map(_to_event, purchases[first : first + batch]))
        sent += EventRequest(pixel_id, events=events).execute().events_received
    seconds = time.perf_counter() - start
    if sent != count:
        raise AssertionError(f"{sent} of {count} events were received")
    return sent, seconds


def _to_event(arguments):
    user_data, custom_data = arguments["user_data"], arguments["custom_data"]
    return Event(
        event_name=arguments["event_name"],
        event_time=int(time.time()),
        event_id=arguments["event_id"],
        event_source_url=arguments["event_source_url"],
        action_source=ActionSource.WEBSITE,
        user_data=UserData(
            **{_USER_DATA.get(key, key): value for key, value in user_data.items()}
        ),
        custom_data=CustomData(
            **{key: custom_data[key] for key in custom_data if key != "contents"},
            contents=[
                Content(
                    product_id=content["id"],
                    quantity=content["quantity"],
                    item_price=content["item_price"],
                )
                for content in custom_data["contents"]
            ],
        ),
    )


if __name__ == "__main__":
    print(json.dumps(send(**json.loads(sys.argv[1]))))
