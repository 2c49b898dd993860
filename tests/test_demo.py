import contextlib
import io
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import BaseCase

from ..dev.console import Problem
from ..dev.demo import story
from ..dev.demo.visits import STEPS
from ..dev.sandbox.records import BrowserEvent, ReceivedEvent

PIXEL = "1029384756102938"
KEYS = (
    *("em", "ph", "fn", "ln", "ct", "st", "zp", "country", "external_id"),
    *("fbc", "fbp", "client_ip_address", "client_user_agent"),
)


class _Shop:
    """A shop in which each step leads to its events, but for what goes wrong.

    :param unseen: names of events that a side does not see, as pairs of both
    :param repeated: whether the Purchase is two
    """

    def __init__(self, unseen=(), lacking=(), warnings=(), repeated=False):
        self.unseen, self.lacking, self.warnings = unseen, lacking, warnings
        self.repeated = repeated
        self.sandbox = SimpleNamespace(browser_events=[], events=[])
        self.receiver = SimpleNamespace(
            name="the stand-in", is_meta=False, sandbox=self.sandbox
        )
        self.rows = []

    def visit(self, _shop, browser, click):
        for step in STEPS:
            for name in step.told if browser else step.told_without:
                self.happen(name, f"{name}-{len(self.rows)}", click)
                if name == "Purchase" and self.repeated:
                    self.happen(name, "again", click)
            yield "http://127.0.0.1/shop"

    def happen(self, name, event_id, click):
        if ("browser", name) not in self.unseen:
            self.sandbox.browser_events.append(BrowserEvent(PIXEL, name, event_id))
        if ("server", name) in self.unseen:
            return
        data = {key: "known" for key in KEYS if key not in self.lacking}
        data["fbc"] = f"fb.1.1.{click}"
        event = {"event_name": name, "event_id": event_id, "user_data": data}
        self.rows.append({**event, "http_status": 200, "response": "{}"})
        event["custom_data"] = {"value": 57.39, "currency": "USD"}
        self.sandbox.events.append(
            ReceivedEvent(PIXEL, None, event, 0, warnings=tuple(self.warnings))
        )

    def newest(self):
        return 0

    def events(self, _after, _click):
        return self.rows

    wait_until_sent = events


class TestDemo(BaseCase):
    """The demo proves what it shows: what is not there makes it fail."""

    def tell(self, browser=True, **wrong):
        shop = _Shop(**wrong)
        told = story.Story(shop, browser)
        output = io.StringIO()
        with (
            patch.object(story, "visiting", shop.visit),
            patch.object(story, "_PATIENCE", 0),
            patch.object(story, "_SETTLING", 0),
            contextlib.redirect_stdout(output),
        ):
            told.tell()
        return told.missing, output.getvalue()

    def test_a_whole_visit_has_every_event_on_both_sides(self):
        missing, output = self.tell()
        self.assertEqual(missing, [])
        self.assertEqual(output.count("browser ✓   server ✓"), 7)
        self.assertNotIn("✗", output)

    def test_without_a_browser_the_servers_events_are_enough(self):
        missing, output = self.tell(browser=None)
        self.assertEqual(missing, [])
        self.assertEqual(output.count("server ✓"), 3)
        self.assertNotIn("browser ✓", output)

    def test_what_is_not_there_is_named(self):
        for wrong, named in (
            ({"unseen": [("browser", "Purchase")]}, "was not seen by the browser"),
            ({"unseen": [("server", "ViewContent")]}, "was not seen by the server"),
            (
                {"unseen": [("browser", "AddToCart"), ("server", "AddToCart")]},
                "there is no AddToCart",
            ),
            ({"lacking": ["client_ip_address"]}, "no IP address (client_ip_address)"),
            ({"lacking": ["em"]}, "no e-mail (em)"),
            ({"warnings": ["it is odd"]}, "of Purchase it is odd"),
        ):
            with self.subTest(named):
                missing, _output = self.tell(**wrong)
                self.assertIn(named, "; ".join(missing))

    def test_an_order_that_is_not_one_purchase_ends_it(self):
        for wrong in ({"repeated": True}, {"unseen": [("server", "Purchase")]}):
            with self.subTest(**wrong), self.assertRaises(Problem):
                self.tell(**wrong)
