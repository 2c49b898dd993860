"""What the visitor did, and what became of it on both sides, told step by step."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ..console import Problem, say
from .shop import Shop
from .visits import STEPS, Chromium, Step, visiting

# Seconds for the events of a step to be recorded; the first page is slow.
_PATIENCE = 30
# Of the events that a page tells besides the one that its step is waited for.
_SETTLING = 1.0
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


class Story:
    """One visit, from the ad to the confirmation.

    ``missing`` has what should have been seen and was not, in words.
    """

    def __init__(self, shop: Shop, browser: Chromium | None) -> None:
        self.shop = shop
        self.browser = browser
        self.sandbox = shop.receiver.sandbox
        self.missing: list[str] = []
        self._after = shop.newest()
        self._told = 0
        self._shown: set[tuple[str, str]] = set()

    def tell(self, picture: str | None = None) -> str:
        """Follow the visit, and return the ID of its Purchase."""
        say("\nFrom an ad to a purchase:")
        if not self.browser:
            say(
                "\nThere is no Chromium here, so the visitor's pages run no scripts: what"
                "\nfollows is what the server tells Meta by itself."
            )
        way = visiting(self.shop, self.browser, picture)
        for number, (step, url) in enumerate(zip(STEPS, way, strict=True), 1):
            say(f"\n{number}. The visitor {step.title}\n   {_short(url)}")
            self._follow(step)
        return self._look_at_purchase()

    # Each step -----------------------------------------------------------------------

    def _follow(self, step: Step) -> None:
        """Wait for the events of a step, and show all that are new."""
        wanted = set(step.told if self.browser else step.told_without)
        deadline = time.monotonic() + _PATIENCE
        settled = 0.0
        while True:
            fresh = self._fresh()
            done = {name for name, _id, sides in fresh if sides == self._sides()}
            now = time.monotonic()
            settled = settled or (now + _SETTLING if wanted <= done else 0.0)
            whole = all(sides == self._sides() for _name, _id, sides in fresh)
            if now > deadline or (settled and now > settled and whole):
                break
            time.sleep(0.2)
        for name, event_id, sides in fresh:
            self._shown.add((name, event_id))
            say(f"   {self._line(name, event_id, sides)}")
            if sides != self._sides():
                self.missing.append(f"{name} {event_id} was seen on one side only")
        if not fresh:
            say("   nothing that the server tells by itself")
        seen = {name for name, _id, _sides in fresh}
        self.missing += [f"no {name}" for name in sorted(wanted - seen)]

    def _sides(self) -> set[str]:
        return {"browser", "server"} if self.browser else {"server"}

    def _fresh(self) -> list[tuple[str, str, set[str]]]:
        """Return name, ID and sides of the events not shown yet, in their order."""
        sides: dict[tuple[str, str], set[str]] = {}
        for told in list(self.sandbox.browser_events):
            if told.event_id:
                key = (told.event_name, told.event_id)
                sides.setdefault(key, set()).add("browser")
        for event in self.shop.events(self._after):
            key = (event["event_name"], event["event_id"])
            sides.setdefault(key, set()).add("server")
        return [(*key, s) for key, s in sides.items() if key not in self._shown]

    def _line(self, name: str, event_id: str, sides: set[str]) -> str:
        marks = "   ".join(
            f"{side} {'✓' if side in sides else '✗'}"
            for side in (("browser", "server") if self.browser else ("server",))
        )
        return f"{name:<17} {marks}   event_id {event_id}"

    # The end -------------------------------------------------------------------------

    def _look_at_purchase(self) -> str:
        events = self.shop.wait_until_sent(self._after)
        self._say_answers(events)
        purchases = [event for event in events if event["event_name"] == "Purchase"]
        if len(purchases) != 1:
            raise Problem(f"The order is {len(purchases)} Purchases instead of one.")
        purchase = purchases[0]
        data = purchase["user_data"]
        if self._is_local():
            data = self._received(purchase["event_id"])
        self._show_keys(data)
        return str(purchase["event_id"])

    def _say_answers(self, events: list[dict[str, Any]]) -> None:
        """Say with which answer each of the events was taken."""
        who = "Meta's stand-in" if self._is_local() else "Meta"
        say(f"\n{who} has taken all {len(events)} events. Its answers:")
        answers = Counter((event["http_status"], event["response"]) for event in events)
        for status, response in answers:
            say(f"   HTTP {status}   {response}")

    def _is_local(self) -> bool:
        return not self.shop.receiver.is_meta

    def _received(self, event_id: str) -> dict[str, Any]:
        """Return what the sandbox knows of the buyer, and see that it came once."""
        found = [
            received.event
            for received in self.sandbox.events
            if received.event["event_name"] == "Purchase"
        ]
        ids = [event["event_id"] for event in found]
        if ids != [event_id]:
            raise Problem(f"The sandbox has the Purchases {ids}, not {event_id} once.")
        custom = found[0]["custom_data"]
        say(
            f"\nThe Purchase has arrived once: {custom['value']} {custom['currency']}"
            + (", the browser's copy under the same event_id." if self.browser else ".")
        )
        data: dict[str, Any] = found[0]["user_data"]
        return data

    def _show_keys(self, data: dict[str, Any]) -> None:
        """Say what Meta can find the buyer by, and note what lacks."""
        lacking = [key for key in _KEYS if not data.get(key)]
        known = [f"{name} ({key})" for key, name in _KEYS.items() if key not in lacking]
        say("Meta can find the buyer by:")
        for start in range(0, len(known), 4):
            say(f"   {', '.join(known[start : start + 4])}")
        self.missing += [f"the Purchase has no {_KEYS[key]} ({key})" for key in lacking]


def _short(url: str) -> str:
    return url if len(url) < 90 else f"{url[:87]}..."
