"""What the visitor did, and what became of it on both sides, told step by step."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from textwrap import fill
from typing import Any

from ..console import Problem, say
from .shop import Shop
from .visits import STEPS, Chromium, Step, visiting

# Seconds for the events of a step to be recorded; the first page is slow.
_PATIENCE = 30
# Of the events that a page tells besides the one that its step is waited for.
_SETTLING = 0.7
_POLL = 0.2
# What is to be known of the buyer, in words.
_KEYS = {
    "em": "e-mail",
    "ph": "phone",
    "fn": "first name",
    "ln": "last name",
    "ct": "city",
    "st": "state",
    "zp": "zip",
    "country": "country",
    "external_id": "customer's ID",
    "fbc": "click on the ad",
    "fbp": "browser's ID",
    "client_ip_address": "IP address",
    "client_user_agent": "browser",
}

# Name, ID, and the sides that know of it.
_Fresh = tuple[str, str, set[str]]


class Story:
    """One visit, from the ad to the confirmation.

    ``missing`` has what should have been seen and was not, in words.
    """

    def __init__(self, shop: Shop, browser: Chromium | None) -> None:
        self.shop = shop
        self.browser = browser
        self.sandbox = shop.receiver.sandbox
        self.missing: list[str] = []
        self._sides = {"browser", "server"} if browser else {"server"}
        self._after = shop.newest()
        self._click = f"IwAR0a-click-on-an-ad-{secrets.token_hex(4)}"
        self._shown: set[tuple[str, str]] = set()

    def tell(self) -> str:
        """Follow the visit, and return the ID of its Purchase."""
        say("\nFrom an ad to a purchase:")
        if not self.browser:
            say(
                "\nThere is no Chromium here, so the visitor's pages run no scripts: what"
                "\nfollows is what the server tells Meta by itself."
            )
        way = visiting(self.shop, self.browser, self._click)
        for number, (step, url) in enumerate(zip(STEPS, way, strict=True), 1):
            say(f"\n{number}. The visitor {step.title}\n   {_short(url)}")
            self._follow(step)
        return self._look_at_purchase()

    # Each step -----------------------------------------------------------------------

    def _follow(self, step: Step) -> None:
        """Wait for the events of a step, and show all that are new."""
        wanted = set(step.told if self.browser else step.told_without)
        fresh = self._wait_for(wanted)
        for name, event_id, sides in fresh:
            self._shown.add((name, event_id))
            say(f"   {self._line(name, event_id, sides)}")
            self.missing += [
                f"{name} {event_id} was not seen by the {side}"
                for side in self._sides - sides
            ]
        if not fresh:
            say("   nothing that the server tells by itself")
        seen = {name for name, _id, _sides in fresh}
        self.missing += [f"there is no {name}" for name in sorted(wanted - seen)]

    def _wait_for(self, wanted: set[str]) -> list[_Fresh]:
        """Return the new events once the wanted are among them, and all are whole."""
        deadline = time.monotonic() + _PATIENCE
        settled = None
        while True:
            fresh, now = self._fresh(), time.monotonic()
            whole = {name for name, _id, sides in fresh if sides == self._sides}
            if settled is None and wanted <= whole:
                settled = now + _SETTLING
            all_whole = all(sides == self._sides for _name, _id, sides in fresh)
            if now > deadline or (settled and now > settled and all_whole):
                return fresh
            time.sleep(_POLL)

    def _fresh(self) -> list[_Fresh]:
        """Return name, ID and sides of the events not shown yet, in their order."""
        sides: dict[tuple[str, str], set[str]] = {}
        for told in list(self.sandbox.browser_events):
            if told.event_id:
                key = (told.event_name, told.event_id)
                sides.setdefault(key, set()).add("browser")
        for event in self.shop.events(self._after, self._click):
            key = (event["event_name"], event["event_id"])
            sides.setdefault(key, set()).add("server")
        return [(*key, s) for key, s in sides.items() if key not in self._shown]

    def _line(self, name: str, event_id: str, sides: set[str]) -> str:
        marks = "   ".join(
            f"{side} {'✓' if side in sides else '✗'}" for side in sorted(self._sides)
        )
        return f"{name:<17} {marks}   event_id {event_id}"

    # The end -------------------------------------------------------------------------

    def _look_at_purchase(self) -> str:
        """See that the order is one Purchase, here and there; return its ID."""
        events = self.shop.wait_until_sent(self._after, self._click)
        self._say_answers(events)
        purchases = [event for event in events if event["event_name"] == "Purchase"]
        if len(purchases) != 1:
            raise Problem(
                f"{len(purchases)} Purchases of this visit were sent instead of one: see"
                " Website > Reporting > Meta Events."
            )
        event_id = str(purchases[0]["event_id"])
        is_meta = self.shop.receiver.is_meta
        self._show_keys(
            purchases[0]["user_data"] if is_meta else self._arrived(event_id)
        )
        return event_id

    def _say_answers(self, events: list[dict[str, Any]]) -> None:
        """Say with which answer each of the events was taken."""
        who = self.shop.receiver.name
        say(f"\n{who} has taken all {len(events)} events. Its answers:")
        answers = Counter((event["http_status"], event["response"]) for event in events)
        for status, response in answers:
            say(f"   HTTP {status}   {response}")

    def _arrived(self, event_id: str) -> dict[str, Any]:
        """See that the Purchase has come once; return what it tells of the buyer."""
        found = [
            received
            for received in self.sandbox.events
            if str(received.event["user_data"].get("fbc")).endswith(self._click)
        ]
        self.missing += [
            f"of {received.event['event_name']} {warning}"
            for received in found
            for warning in received.warnings
        ]
        sales = [r.event for r in found if r.event["event_name"] == "Purchase"]
        ids = [event["event_id"] for event in sales]
        if ids != [event_id]:
            raise Problem(f"The sandbox has the Purchases {ids}, not {event_id} once.")
        custom = sales[0]["custom_data"]
        say(
            f"\nThe Purchase has arrived once: {custom['value']} {custom['currency']}"
            + (". The browser's copy has the same event_id." if self.browser else ".")
        )
        data: dict[str, Any] = sales[0]["user_data"]
        return data

    def _show_keys(self, data: dict[str, Any]) -> None:
        """Say what Meta can find the buyer by, and note what lacks."""
        lacking = [key for key in _KEYS if not data.get(key)]
        known = [f"{name} ({key})" for key, name in _KEYS.items() if key not in lacking]
        say(fill(f"Meta can find the buyer by {', '.join(known)}.", 84))
        self.missing += [f"the Purchase has no {_KEYS[key]} ({key})" for key in lacking]


def _short(url: str) -> str:
    return url if len(url) < 90 else f"{url[:87]}..."
