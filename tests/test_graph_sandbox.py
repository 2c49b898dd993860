"""The sandbox that stands in for Meta is itself held to what is known of Meta."""

import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from typing import Any

import requests

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

from ..dev.sandbox import (
    EMPTY_HASH,
    Fault,
    GraphSandbox,
    empty_body,
    error,
    error_without_code,
    hang,
    http,
    missing_events_received,
    missing_messages,
    redirect,
    reset,
    reset_after_accept,
    short_events_received,
    slow,
    throttled,
    truncated_json,
    with_headers,
)

DAY = 86_400
HASH = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
TIMEOUT = 10


def make_event(**changes: Any) -> dict[str, Any]:
    """Return a Purchase that Meta takes; a key changed to None is left out."""
    event = {
        "event_name": "Purchase",
        "event_time": int(time.time()),
        "event_id": "S00042",
        "action_source": "website",
        "event_source_url": "https://shop.example.com/shop/confirmation",
        "user_data": {
            "em": [HASH],
            "client_user_agent": "Mozilla/5.0",
            "client_ip_address": "2a00:1450:4001:82a::200e",
        },
        "custom_data": {"value": 142.52, "currency": "EUR"},
        **changes,
    }
    return {key: value for key, value in event.items() if value is not None}


class GraphSandboxCase(BaseCase):
    """Talks to a sandbox over HTTP, as the addon does."""

    def setUp(self) -> None:
        super().setUp()
        self.graph = self.start(GraphSandbox())

    def start(self, graph: GraphSandbox) -> GraphSandbox:
        graph.start()
        self.addCleanup(graph.stop)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {graph.token}"
        self.addCleanup(self.session.close)
        return graph

    def edge(self, pixel_id: str | None = None, version: str = "v26.0") -> str:
        return f"{self.graph.url}/{version}/{pixel_id or self.graph.pixel_id}/events"

    def post(self, *events: Any, **more: Any) -> requests.Response:
        return self.session.post(
            self.edge(),
            json={"data": list(events), **more},
            timeout=TIMEOUT,
            allow_redirects=False,
        )

    def control(self, name: str, content: Any) -> Any:
        answer = requests.post(
            f"{self.graph.url}/_sandbox/{name}", json=content, timeout=TIMEOUT
        )
        answer.raise_for_status()
        return answer.json()

    def read(self, path: str) -> requests.Response:
        answer = requests.get(self.graph.url + path, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer

    def assertAccepted(self, *events: Any, **more: Any) -> None:
        answer = self.post(*events, **more)
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(answer.json()["events_received"], len(events))

    def assertRefused(
        self, answer: requests.Response, code: int, subcode: int | None = None
    ) -> dict[str, Any]:
        """Check Meta's shape of an error and return it."""
        problem = answer.json()["error"]
        self.assertEqual(
            (problem["code"], problem.get("error_subcode")), (code, subcode)
        )
        self.assertLessEqual(
            {"message", "type", "code", "is_transient", "fbtrace_id"}, problem.keys()
        )
        return problem

    def assertEventRefused(self, subcode: int | None, **changes: Any) -> None:
        answer = self.post(make_event(**changes))
        self.assertEqual(answer.status_code, 400, changes)
        self.assertRefused(answer, 100, subcode)
        self.assertFalse(self.graph.events)

    def assertUserDataRefused(self, subcode: int | None, **user_data: Any) -> None:
        user_data = {"em": HASH, "client_ip_address": "8.8.8.8", **user_data}
        self.assertEventRefused(subcode, user_data=user_data)


class TestEdge(GraphSandboxCase):
    """Address, method, token and the body as a whole."""

    def test_a_good_event_is_taken_in_and_recorded(self):
        event = make_event()
        answer = self.post(event, test_event_code="TEST4711")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["events_received"], 1)
        self.assertEqual(answer.json()["messages"], [])
        (received,) = self.graph.events
        self.assertEqual(received.event, event)
        self.assertEqual(received.pixel_id, self.graph.pixel_id)
        self.assertEqual(received.test_event_code, "TEST4711")
        self.assertFalse(received.warnings)
        request = self.graph.requests[received.request_index]
        self.assertEqual(request.status, 200)
        self.assertEqual(request.token_source, "header")
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertEqual(json.loads(request.raw), request.body)
        self.assertEqual(json.loads(request.answer), answer.json())

    def test_every_answer_has_a_trace_id_of_its_own(self):
        traces = {self.post(make_event()).json()["fbtrace_id"] for _ in range(3)}
        traces |= {self.post().json()["error"]["fbtrace_id"] for _ in range(3)}
        self.assertEqual(len(traces), 6)

    def test_an_unknown_token_is_401_code_190(self):
        self.session.headers["Authorization"] = "Bearer EAAnonsense"
        answer = self.post(make_event())
        self.assertEqual(answer.status_code, 401)
        self.assertRefused(answer, 190)

    def test_a_missing_token_is_401_code_190(self):
        del self.session.headers["Authorization"]
        answer = self.post(make_event())
        self.assertEqual(answer.status_code, 401)
        self.assertRefused(answer, 190)

    def test_a_revoked_token_is_refused_until_it_is_restored(self):
        token = self.graph.token
        self.graph.pixels[self.graph.pixel_id].discard(token)
        self.assertRefused(self.post(make_event()), 190)
        self.graph.pixels[self.graph.pixel_id].add(token)
        self.assertAccepted(make_event())

    def test_a_token_in_query_or_body_is_accepted_and_noted(self):
        del self.session.headers["Authorization"]
        self.assertAccepted(make_event(), access_token=self.graph.token)
        self.session.post(
            self.edge(),
            params={"access_token": self.graph.token},
            json={"data": [make_event()]},
            timeout=TIMEOUT,
        ).raise_for_status()
        sources = [request.token_source for request in self.graph.requests]
        self.assertEqual(sources, ["body", "query"])

    def test_an_unknown_pixel_is_code_100_subcode_33(self):
        answer = self.session.post(
            self.edge("999"), json={"data": [make_event()]}, timeout=TIMEOUT
        )
        self.assertEqual(answer.status_code, 400)
        self.assertRefused(answer, 100, 33)

    def test_a_pixel_of_another_token_is_code_100_subcode_33(self):
        self.graph.pixels["2000"] = {"EAAother"}
        answer = self.session.post(
            self.edge("2000"), json={"data": [make_event()]}, timeout=TIMEOUT
        )
        self.assertRefused(answer, 100, 33)

    def test_a_pixel_that_is_no_number_is_code_803(self):
        answer = self.session.post(self.edge("my-pixel"), json={}, timeout=TIMEOUT)
        self.assertRefused(answer, 803)

    def test_the_edge_can_only_be_posted_to(self):
        self.assertRefused(self.session.get(self.edge(), timeout=TIMEOUT), 100, 33)
        self.assertRefused(self.session.delete(self.edge(), timeout=TIMEOUT), 100, 33)

    def test_a_pixel_cannot_be_read_with_a_token_that_may_only_send(self):
        url = self.edge().removesuffix("/events")
        problem = self.assertRefused(self.session.get(url, timeout=TIMEOUT), 100)
        self.assertIn("Missing Permission", problem["message"])

    def test_a_version_that_ended_is_code_2635(self):
        answer = self.session.post(self.edge(version="v20.0"), json={}, timeout=TIMEOUT)
        self.assertRefused(answer, 2635)

    def test_an_address_without_a_known_version_is_code_2500(self):
        for version in ("26.0", "v26", "v26.1", "v99.0", "latest"):
            answer = self.session.post(
                self.edge(version=version), json={}, timeout=TIMEOUT
            )
            self.assertRefused(answer, 2500)

    def test_a_body_that_is_not_strict_json_is_refused(self):
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"data": [NaN]}',
            b'{"data": "\\ud800"}',
            b'{"data": "\xff"}',
            b"[" * 100_000,
        ):
            answer = self.session.post(
                self.edge(),
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT,
            )
            self.assertEqual(answer.status_code, 400, body[:20])
            self.assertRefused(answer, 100)

    def test_a_form_is_not_read(self):
        answer = self.session.post(
            self.edge(), data={"data": json.dumps([make_event()])}, timeout=TIMEOUT
        )
        self.assertRefused(answer, 100)

    def test_data_holds_one_to_a_thousand_events(self):
        self.assertAccepted(*[make_event(event_id=str(n)) for n in range(1000)])
        self.assertRefused(self.post(), 100)
        self.assertRefused(self.post(*[make_event()] * 1001), 100)
        for data in (None, {}, "[]", 1):
            self.assertRefused(self.post(data=data), 100)
        self.assertEqual(len(self.graph.events), 1000)

    def test_an_unknown_key_beside_data_is_refused(self):
        self.assertRefused(self.post(make_event(), event_id="S00042"), 100)

    def test_the_partner_agent_has_fewer_than_23_characters(self):
        self.assertAccepted(make_event(), partner_agent="o" * 22)
        self.assertRefused(self.post(make_event(), partner_agent="o" * 23), 100)
        self.assertRefused(self.post(make_event(), partner_agent="o-1"), 100)

    def test_a_blank_test_event_code_is_refused(self):
        self.assertRefused(self.post(make_event(), test_event_code=""), 100)

    def test_a_body_above_the_chosen_limit_is_413(self):
        self.graph = self.start(GraphSandbox(max_body=1000))
        self.assertAccepted(make_event())
        answer = self.post(*[make_event()] * 10)
        self.assertEqual(answer.status_code, 413)
        self.assertEqual(len(self.graph.events), 1)


class TestEvents(GraphSandboxCase):
    """What is asked of an event."""

    def test_one_bad_event_refuses_the_whole_batch(self):
        answer = self.post(make_event(), make_event(event_time=1), make_event())
        problem = self.assertRefused(answer, 100, 2804003)
        self.assertTrue(problem["error_user_title"] and problem["error_user_msg"])
        self.assertFalse(self.graph.events)

    def test_the_answer_does_not_say_which_event_but_the_record_does(self):
        answer = self.post(make_event(), make_event(event_id=7))
        self.assertNotIn("data[", answer.text)
        self.assertIn("data[1]: event_id", self.graph.requests[0].reason)

    def test_the_required_fields_are_required(self):
        for key in ("event_name", "event_time", "action_source", "user_data"):
            self.assertEventRefused(None, **{key: None})

    def test_wrong_types_are_refused(self):
        for changes in (
            {"event_name": ""},
            {"event_name": 7},
            {"event_time": "1700000000"},
            {"event_time": time.time()},
            {"event_time": True},
            {"event_id": 42},
            {"user_data": []},
            {"custom_data": []},
            {"opt_out": "false"},
            {"referrer_url": 1},
            {"data_processing_options": "LDU"},
            {"surprise": 1},
        ):
            self.assertEventRefused(None, **changes)
        self.assertRefused(self.post("Purchase"), 100)

    def test_the_window_is_seven_days(self):
        now = int(time.time())
        self.assertAccepted(make_event(event_time=now - 7 * DAY + 60))
        self.graph.clear()
        self.assertEventRefused(2804003, event_time=now - 7 * DAY - 60)

    def test_the_window_of_a_physical_store_is_62_days(self):
        now = int(time.time())
        self.assertAccepted(
            make_event(action_source="physical_store", event_time=now - 61 * DAY)
        )
        self.graph.clear()
        self.assertEventRefused(
            2804003, action_source="physical_store", event_time=now - 63 * DAY
        )

    def test_events_of_stores_are_told_apart_by_order_and_time_and_not_by_their_id(
        self,
    ):
        now = int(time.time())
        sale = {"value": 5, "currency": "EUR"}
        for changes, others, count in (
            ({}, {"event_id": "2"}, 1),
            ({}, {"event_time": now - 1}, 2),
            ({}, {"user_data": {"ph": HASH}}, 2),
            ({}, {"custom_data": {**sale, "item_number": "2"}}, 2),
            (
                {"custom_data": {**sale, "order_id": "1"}},
                {"custom_data": {**sale, "order_id": "1"}, "user_data": {"ph": HASH}},
                1,
            ),
            ({}, {"action_source": "website"}, 1),
        ):
            with self.subTest(changes=changes, others=others):
                self.graph.clear()
                store = {"action_source": "physical_store", "event_time": now}
                store |= {"custom_data": sale, **changes}
                self.assertAccepted(make_event(**store))
                self.assertAccepted(make_event(**store | others))
                self.assertEqual(len(self.graph.offline_events()), count)

    def test_what_is_told_of_a_store_is_an_object_of_texts(self):
        sale = {"value": 5, "currency": "EUR"}
        store = {"store_data": {"store_code": "1"}}
        self.assertAccepted(make_event(custom_data=sale | store))
        self.graph.clear()
        for wrong in ("1", ["1"], {"store_code": 1}, {"store_code": " "}):
            with self.subTest(wrong):
                self.assertEventRefused(None, custom_data=sale | {"store_data": wrong})

    def test_a_purchase_of_a_store_needs_value_and_currency(self):
        store = {"action_source": "physical_store"}
        for sale, subcode in (
            ({"currency": "EUR"}, 2804009),
            ({"value": 5}, 2804010),
        ):
            self.assertEventRefused(subcode, custom_data=sale, **store)

    def test_the_future_begins_after_a_minute(self):
        now = int(time.time())
        self.assertAccepted(make_event(event_time=now + 30))
        self.graph.clear()
        self.assertEventRefused(2804004, event_time=now + 90)
        self.assertEventRefused(2804004, event_time=now * 1000)

    def test_the_clock_can_be_set(self):
        self.graph = self.start(GraphSandbox(clock=lambda: 1_000_000.0))
        self.assertAccepted(make_event(event_time=999_000))
        self.assertRefused(self.post(make_event()), 100, 2804004)

    def test_the_action_source_is_one_of_nine(self):
        self.assertEventRefused(None, action_source="Website")
        for source in ("email", "phone_call", "chat", "system_generated", "other"):
            self.assertAccepted(make_event(action_source=source))

    def test_a_website_event_without_url_or_agent_is_accepted_with_a_warning(self):
        event = make_event(event_source_url=None, user_data={"em": HASH})
        self.assertAccepted(event)
        warnings = self.graph.events[0].warnings
        self.assertIn("website event without event_source_url", warnings)
        self.assertIn("website event without client_user_agent", warnings)
        self.assertEqual(self.graph.requests[0].warnings, sorted(warnings))

    def test_an_app_event_needs_extinfo(self):
        self.assertEventRefused(2804043, action_source="app")
        extinfo = ["a2", *[""] * 15]
        self.assertEventRefused(
            2804043, action_source="app", app_data={"extinfo": extinfo}
        )
        extinfo[4] = "14"
        self.assertAccepted(
            make_event(action_source="app", app_data={"extinfo": extinfo})
        )

    def test_business_messaging_has_its_own_channel_and_names(self):
        source = {"action_source": "business_messaging"}
        self.assertEventRefused(2804063, **source)
        source["messaging_channel"] = "whatsapp"
        self.assertEventRefused(2804066, event_name="Lead", **source)
        self.assertAccepted(make_event(event_name="LeadSubmitted", **source))

    def test_an_event_of_a_crm_in_another_form_is_accepted_with_a_warning(self):
        event = make_event(
            event_name="Qualified",
            action_source="system_generated",
            user_data={"lead_id": 1234567890123456},
            custom_data={"event_source": "crm", "lead_event_source": "Odoo"},
        )
        self.assertAccepted(event)
        self.assertFalse(self.graph.events[0].warnings)
        for change, warning in (
            ({"action_source": "other"}, "not system_generated"),
            ({"custom_data": {"lead_event_source": "Odoo"}}, "event_source is not crm"),
            ({"custom_data": {"event_source": "crm"}}, "without lead_event_source"),
            ({"user_data": {"external_id": HASH}}, "without lead_id, fbc, em and ph"),
        ):
            with self.subTest(warning):
                self.graph.clear()
                self.assertAccepted({**event, **change})
                (told,) = self.graph.events[0].warnings
                self.assertIn(warning, told)
        event["custom_data"]["lead_event_source"] = ""
        self.graph.clear()
        self.assertRefused(self.post(event), 100, None)

    def test_a_page_address_starts_with_http(self):
        self.assertEventRefused(2804001, event_source_url="/shop/cart")

    def test_limited_data_use_needs_country_and_state(self):
        ldu = {"data_processing_options": ["LDU"]}
        self.assertEventRefused(2804030, **ldu)
        ldu["data_processing_options_country"] = 1
        self.assertEventRefused(2804030, **ldu)
        self.assertEventRefused(2804001, **ldu, data_processing_options_state=50)
        self.assertAccepted(make_event(**ldu, data_processing_options_state=1000))
        self.assertAccepted(make_event(data_processing_options=[]))


class TestUserData(GraphSandboxCase):
    """Whom an event is about."""

    def test_hashes_come_alone_in_lists_or_with_an_appendix(self):
        for value in (HASH, [HASH, HASH], f"{HASH}.AQQCAQMC", f"{HASH}.Ag"):
            self.assertAccepted(make_event(user_data={"em": value}))

    def test_what_is_not_a_sha256_is_refused(self):
        for value in (
            HASH.upper(),
            HASH[:32],
            f"{HASH}.toolong123",
            f" {HASH}",
            EMPTY_HASH,
            [HASH, EMPTY_HASH],
            [HASH, "raw"],
        ):
            self.assertUserDataRefused(2804001, ph=value)

    def test_raw_personal_data_is_refused_and_not_repeated(self):
        self.assertUserDataRefused(2804001, em="jane@example.com")
        self.assertUserDataRefused(2804001, external_id="jane@example.com")
        self.assertNotIn("jane", self.graph.requests[0].reason)

    def test_empty_and_mistyped_values_are_refused(self):
        for value in ("", " ", [], [""], [None], 7, {"0": HASH}, True):
            self.assertUserDataRefused(None, em=value)

    def test_an_unknown_key_is_refused(self):
        self.assertUserDataRefused(None, email=HASH)

    def test_an_external_id_may_be_plain(self):
        self.assertAccepted(make_event(user_data={"external_id": ["customer-7", HASH]}))

    def test_the_client_address_is_an_ip_address(self):
        for value in ("8.8.8.8", "2a00:1450:4001::200e", "8.8.8.8.AQQCAQMC"):
            self.assertAccepted(make_event(user_data={"client_ip_address": value}))
        self.graph.clear()
        for value in ("8.8.8", "8.8.8.8, 10.0.0.1", "localhost", HASH):
            self.assertUserDataRefused(2804001, client_ip_address=value)

    def test_a_private_address_is_accepted_with_a_warning(self):
        self.assertAccepted(make_event(user_data={"client_ip_address": "192.168.1.7"}))
        self.assertIn(
            "client_ip_address is not a public one", self.graph.events[0].warnings
        )

    def test_fbp_and_fbc_have_the_form_of_the_cookies(self):
        self.assertAccepted(
            make_event(
                user_data={
                    "fbp": "fb.1.1596403881668.1116446470",
                    "fbc": "fb.1.1554763741205.AbCdEfGhIjKlMnOpQrStUvWxYz_-09.AQICAQMC",
                }
            )
        )
        self.assertFalse(
            [note for note in self.graph.events[0].warnings if "fb" in note]
        )
        self.graph.clear()
        for value in ("fb.1.1596403881668", "1596403881668.1116446470", "fb.x.1.1"):
            self.assertUserDataRefused(2804001, fbp=value)
            self.assertUserDataRefused(2804001, fbc=value)

    def test_a_cookie_made_in_seconds_is_accepted_with_a_warning(self):
        self.assertAccepted(make_event(user_data={"fbc": "fb.1.1554763741.AbC"}))
        self.assertTrue(
            [note for note in self.graph.events[0].warnings if "milli" in note]
        )

    def test_too_broad_combinations_are_refused(self):
        for keys in (
            (),
            ("client_user_agent",),
            ("ct", "country", "st", "zp", "ge", "client_user_agent"),
            ("db", "client_user_agent"),
            ("fn", "ge"),
            ("ln", "ge"),
        ):
            self.assertEventRefused(2804050, user_data=dict.fromkeys(keys, HASH))

    def test_one_telling_key_is_enough(self):
        for keys in (("fn", "ln"), ("ct", "db"), ("em",), ("external_id", "ge")):
            self.assertAccepted(make_event(user_data=dict.fromkeys(keys, HASH)))

    def test_a_lead_id_has_15_to_17_digits(self):
        self.assertAccepted(make_event(user_data={"lead_id": 1234567890123456}))
        self.graph.clear()
        self.assertUserDataRefused(2804036, lead_id="12345")


class TestCustomData(GraphSandboxCase):
    """What an event is about."""

    def assertCustomDataRefused(self, subcode: int | None, **custom_data: Any) -> None:
        custom_data = {"value": 1, "currency": "EUR", **custom_data}
        custom_data = {key: val for key, val in custom_data.items() if val is not None}
        self.assertEventRefused(subcode, custom_data=custom_data)

    def test_a_purchase_needs_value_and_currency(self):
        self.assertEventRefused(2804009, custom_data=None)
        self.assertCustomDataRefused(2804009, value=None)
        self.assertCustomDataRefused(2804010, currency=None)

    def test_any_value_needs_a_currency(self):
        self.assertEventRefused(
            2804023, event_name="AddToCart", custom_data={"value": 1}
        )
        self.assertAccepted(make_event(event_name="AddToCart", custom_data=None))

    def test_a_currency_is_an_iso_code_in_either_case(self):
        self.assertAccepted(make_event(custom_data={"value": 1, "currency": "usd"}))
        self.graph.clear()
        for currency in ("EURO", "€", "XXX"):
            self.assertCustomDataRefused(2804001, currency=currency)

    def test_a_value_is_a_finite_number(self):
        for value in (0, 7, 1.5, "142.52"):
            self.assertAccepted(
                make_event(custom_data={"value": value, "currency": "EUR"})
            )
        self.graph.clear()
        for value in (True, "1,50", "nan", "", [], 10**400):
            self.assertCustomDataRefused(None, value=value)

    def test_an_item_of_contents_needs_an_id(self):
        self.assertCustomDataRefused(2804008, contents=[{"quantity": 1}])
        self.assertCustomDataRefused(2804008, contents=[{"id": "", "quantity": 1}])
        self.assertCustomDataRefused(None, contents=["42"])
        self.assertCustomDataRefused(None, contents='[{"id": "42"}]')

    def test_ids_come_in_a_list(self):
        self.assertCustomDataRefused(None, content_ids="42")
        self.assertCustomDataRefused(None, content_ids=[None])

    def test_custom_properties_are_free(self):
        custom_data = {"value": 1, "currency": "EUR", "colour": {"name": ["red"]}}
        self.assertAccepted(make_event(custom_data=custom_data))


class TestFaults(GraphSandboxCase):
    """Failing on demand."""

    def after(self, fault: Fault, count: int = 1) -> requests.Response:
        """Send good events into the fault."""
        self.graph.fail_next(fault)
        return self.post(*[make_event(event_id=str(n)) for n in range(count)])

    def assertBroken(self, fault: Fault) -> None:
        with self.assertRaises(requests.RequestException):
            self.after(fault)

    def test_an_error_is_answered_as_often_as_asked(self):
        self.graph.fail_next(error(2), times=2)
        for status in (500, 500, 200):
            self.assertEqual(self.post(make_event()).status_code, status)
        self.assertEqual(len(self.graph.events), 1)

    def test_an_error_can_come_in_http_200_with_its_data_in_a_string(self):
        answer = self.after(
            error(100, 2804007, in_http_200=True, error_data_as_string=True)
        )
        self.assertEqual(answer.status_code, 200)
        problem = self.assertRefused(answer, 100, 2804007)
        self.assertIn("blame_field_specs", json.loads(problem["error_data"]))

    def test_codes_have_the_http_status_seen_of_them(self):
        for code, status in ((190, 401), (100, 400), (1, 500), (4, 400)):
            self.assertEqual(self.after(error(code)).status_code, status)
        self.assertEqual(self.after(error(4, http_status=403)).status_code, 403)

    def test_any_http_answer_can_be_given(self):
        answer = self.after(http(502))
        self.assertEqual(answer.status_code, 502)
        self.assertIn("text/html", answer.headers["Content-Type"])
        self.assertIn("<html", self.after(http(200)).text)
        answer = self.after(http(429, "", headers={"Retry-After": "120"}))
        self.assertEqual(answer.headers["retry-after"], "120")
        self.assertFalse(self.graph.events)

    def test_a_redirect_names_its_target(self):
        answer = self.after(redirect("https://elsewhere.example.com/"))
        self.assertEqual(answer.status_code, 302)
        self.assertEqual(answer.headers["Location"], "https://elsewhere.example.com/")

    def test_a_throttle_tells_minutes_in_the_nested_header(self):
        answer = self.after(throttled(80004, minutes=19))
        self.assertRefused(answer, 80004)
        usage = json.loads(answer.headers["x-business-use-case-usage"])
        ((entry,),) = usage.values()
        self.assertEqual(entry["estimated_time_to_regain_access"], 19)

    def test_a_body_can_be_truncated_or_empty(self):
        answer = self.after(truncated_json())
        self.assertEqual(answer.status_code, 200)
        self.assertRaises(ValueError, answer.json)
        self.assertEqual(self.after(empty_body()).content, b"")
        # Not every urllib3 misses what was announced and never came.
        with contextlib.suppress(requests.RequestException):
            self.assertRaises(ValueError, self.after(truncated_json(cut=True)).json)
        self.assertEqual(self.graph.requests[-1].ending, "cut")
        self.assertFalse(self.graph.events)

    def test_events_received_can_fall_short(self):
        answer = self.after(short_events_received(2), count=5)
        self.assertEqual(answer.json()["events_received"], 3)
        self.assertEqual(len(self.graph.events), 3)

    def test_keys_of_the_success_can_be_missing(self):
        self.assertNotIn(
            "events_received", self.after(missing_events_received()).json()
        )
        self.assertFalse(self.graph.events)
        self.assertNotIn("messages", self.after(missing_messages()).json())
        self.assertEqual(len(self.graph.events), 1)

    def test_a_lost_answer_can_follow_an_acceptance(self):
        for fault in (http(502, accept=True), truncated_json(accept=True)):
            self.graph.clear()
            self.after(fault)
            self.assertEqual(len(self.graph.events), 1)

    def test_a_slow_answer_comes_in_the_end(self):
        start = time.monotonic()
        self.assertEqual(self.after(slow(0.3)).status_code, 200)
        self.assertGreaterEqual(time.monotonic() - start, 0.3)

    def test_a_reset_leaves_nothing_behind(self):
        self.assertBroken(reset())
        self.assertFalse(self.graph.events)
        self.assertEqual(self.graph.requests[0].ending, "reset")
        self.assertIsNone(self.graph.requests[0].status)

    def test_a_reset_after_accept_makes_the_retry_a_second_delivery(self):
        self.assertBroken(reset_after_accept())
        self.assertAccepted(make_event(event_id="0"))
        key = (self.graph.pixel_id, "Purchase", "0")
        self.assertEqual(self.graph.deliveries(), {key: 2})

    def test_headers_can_come_with_a_success(self):
        answer = self.after(with_headers({"X-App-Usage": '{"call_count": 96}'}))
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(json.loads(answer.headers["x-app-usage"])["call_count"], 96)
        self.assertEqual(len(self.graph.events), 1)

    def test_a_hang_ends_with_the_client(self):
        self.graph.fail_next(hang())
        with socket.create_connection(("127.0.0.1", self.graph.port)) as client:
            client.sendall(b"POST /v26.0/1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.graph.wait_for(lambda: self.graph.requests)
        self.graph.wait_for(lambda: self.graph.requests[0].ending == "hang")

    def test_a_hang_does_not_delay_the_end_of_the_server(self):
        self.graph.fail_always(hang())
        failures = []

        def call() -> None:
            try:
                self.post(make_event())
            except requests.RequestException as err:
                failures.append(err)

        client = threading.Thread(target=call)
        client.start()
        self.graph.wait_for(lambda: self.graph.requests)
        start = time.monotonic()
        self.graph.stop()
        self.assertLess(time.monotonic() - start, 1)
        client.join(TIMEOUT)
        self.assertEqual(len(failures), 1)

    def test_a_fault_can_be_of_one_pixel_only(self):
        self.graph.pixels["2000"] = {self.graph.token}
        self.graph.fail_always(error(190), pixel_id="2000")
        self.assertAccepted(make_event())
        body = {"data": [make_event()]}
        answer = self.session.post(self.edge("2000"), json=body, timeout=TIMEOUT)
        self.assertRefused(answer, 190)
        self.graph.heal("2000")
        answer = self.session.post(self.edge("2000"), json=body, timeout=TIMEOUT)
        self.assertEqual(answer.status_code, 200)

    def test_queued_faults_come_before_lasting_ones(self):
        self.graph.fail_always(error(2))
        self.graph.fail_next(error(4))
        self.graph.fail_next(error(17))
        codes = [self.post(make_event()).json()["error"]["code"] for _ in range(4)]
        self.assertEqual(codes, [4, 17, 2, 2])
        self.graph.heal()
        self.assertAccepted(make_event())

    def test_a_fault_by_chance_is_repeatable_with_a_seed(self):
        def run() -> list[int]:
            self.graph.faults.seed(7)
            return [self.post(make_event()).status_code for _ in range(30)]

        self.graph.fail_always(error(2), probability=0.3)
        first = run()
        self.assertEqual(set(first), {200, 500})
        self.assertEqual(run(), first)

    def test_a_poisoned_event_refuses_every_batch_that_holds_it(self):
        self.graph.poison(["bad"])
        good = make_event(event_id="good")
        self.assertRefused(self.post(good, make_event(event_id="bad")), 100, 2804007)
        self.assertAccepted(good)
        self.graph.cure()
        self.assertAccepted(make_event(event_id="bad"))

    def test_a_poison_can_have_a_code_without_subcode(self):
        self.graph.poison(["bad"], code=100, subcode=None)
        self.assertRefused(self.post(make_event(event_id="bad")), 100)

    def test_a_poison_can_be_any_fault(self):
        good, bad = make_event(event_id="good"), make_event(event_id="bad")
        for fault, status in (
            (error(987654), 400),
            (error(2, is_transient=True), 500),
            (error_without_code(401), 401),
            (http(500), 500),
            (http(413), 413),
            (redirect("http://127.0.0.1:9/"), 302),
            (empty_body(), 200),
        ):
            self.graph.poison(["bad"], fault=fault)
            with self.subTest(fault=fault.name, status=status):
                answer = self.post(good, bad)
                self.assertEqual(answer.status_code, status)
                self.assertFalse(self.graph.events)
                self.assertEqual(self.graph.requests[-1].fault, fault)
                self.assertIn("'bad'", self.graph.requests[-1].reason)
        self.assertAccepted(good)

    def test_a_poison_can_keep_the_connection_from_ending_well(self):
        for fault in (reset(), truncated_json(cut=True)):
            self.graph.poison(["bad"], fault=fault)
            with self.subTest(fault=fault.name):
                # Older libraries take a body that is cut for a whole one.
                with contextlib.suppress(requests.RequestException):
                    self.post(make_event(event_id="good"), make_event(event_id="bad"))
                self.assertEqual(self.graph.requests[-1].ending, fault.ending)
        self.graph.poison(["bad"], fault=hang())
        # Not by requests: Odoo's tests wait for those for ten seconds at least.
        connection = HTTPConnection("127.0.0.1", self.graph.port, timeout=0.3)
        self.addCleanup(connection.close)
        connection.request(
            "POST",
            self.edge().removeprefix(self.graph.url),
            json.dumps({"data": [make_event(event_id="bad")]}),
            {
                "Authorization": f"Bearer {self.graph.token}",
                "Content-Type": "application/json",
            },
        )
        with self.assertRaises(TimeoutError):
            connection.getresponse()
        self.assertFalse(self.graph.events)

    def test_a_poison_can_be_the_one_that_is_not_counted(self):
        self.graph.poison(["bad"], fault=short_events_received())
        answer = self.post(make_event(event_id="bad"), make_event(event_id="good"))
        self.assertEqual(answer.json()["events_received"], 1)
        self.assertEqual([e.event["event_id"] for e in self.graph.events], ["good"])
        answer = self.post(make_event(event_id="bad"))
        self.assertEqual(answer.json()["events_received"], 0)

    def test_poison_is_found_behind_the_edge_and_before_the_wire(self):
        self.graph.poison(["bad"], fault=http(500))
        self.graph.pixels[self.graph.pixel_id] = {"another"}
        self.assertRefused(self.post(make_event(event_id="bad")), 190)
        self.graph.pixels[self.graph.pixel_id] = {self.graph.token}
        self.graph.fail_next(error(190))
        self.assertRefused(self.post(make_event(event_id="bad")), 190)
        self.assertEqual(self.post(make_event(event_id="bad")).status_code, 500)

    def test_an_error_can_lack_a_code(self):
        answer = self.after(error_without_code(401))
        self.assertEqual(answer.status_code, 401)
        problem = answer.json()["error"]
        self.assertEqual(problem["type"], "OAuthException")
        self.assertNotIn("code", problem)

    def test_an_error_says_that_it_is_transient_where_told(self):
        for flag in (True, False):
            problem = self.after(error(190, is_transient=flag)).json()["error"]
            self.assertIs(problem["is_transient"], flag)

    def test_a_clock_that_is_behind_knows_no_event_of_now(self):
        self.graph.clock_behind = 25
        self.assertEventRefused(2804004)
        self.assertAccepted(make_event(event_time=int(time.time()) - 26))

    def test_the_date_is_told_by_the_clock(self):
        def ahead() -> float:
            answer = self.post(make_event(event_time=int(time.time()) - 100))
            date = parsedate_to_datetime(answer.headers["Date"])
            return time.time() - date.timestamp()

        self.assertLess(abs(ahead()), 5)
        self.graph.clock_behind = 25
        self.assertLess(abs(ahead() - 25), 5)

    def test_proof_of_the_app_can_be_asked_for(self):
        self.graph.app_secret = "s3cret"
        key, token = b"s3cret", self.graph.token.encode()
        proof = hmac.new(key, token, hashlib.sha256).hexdigest()
        problem = self.assertRefused(self.post(make_event()), 100)
        self.assertIn("require an appsecret_proof argument", problem["message"])
        answer = self.post(make_event(), appsecret_proof="0" * 64)
        problem = self.assertRefused(answer, 100)
        self.assertIn("Invalid appsecret_proof", problem["message"])
        self.assertAccepted(make_event(), appsecret_proof=proof)
        answer = self.session.post(
            self.edge(),
            params={"appsecret_proof": proof},
            json={"data": [make_event()]},
            timeout=TIMEOUT,
        )
        self.assertEqual(answer.status_code, 200)
        self.graph.app_secret = None
        self.assertAccepted(make_event())


class TestObservation(GraphSandboxCase):
    """What tests and people can see and steer."""

    def test_waiting_ends_as_soon_as_it_is_true(self):
        client = threading.Timer(0.1, self.post, [make_event()])
        client.start()
        self.graph.wait_for(lambda: len(self.graph.events) == 1)
        client.join()

    def test_waiting_in_vain_says_what_was_there(self):
        self.post(make_event())
        with self.assertRaisesRegex(TimeoutError, "1 requests, 1 events"):
            self.graph.wait_for(lambda: len(self.graph.events) == 2, timeout=0.05)

    def test_clearing_forgets_events_and_requests(self):
        self.post(make_event())
        self.control("clear", {})
        self.assertFalse(self.graph.events or self.graph.requests)
        self.assertAccepted(make_event())
        self.assertEqual(self.graph.events[0].request_index, 0)

    def test_faults_are_ordered_over_http(self):
        self.control(
            "faults",
            [
                {"fault": "error", "code": 190, "times": 2},
                {"fault": "throttled", "minutes": 3, "always": True},
            ],
        )
        codes = [self.post(make_event()).json()["error"]["code"] for _ in range(4)]
        self.assertEqual(codes, [190, 190, 80004, 80004])
        self.control("faults", {"heal": True})
        self.control("faults", {"poison": ["bad"], "code": 105, "subcode": None})
        self.assertRefused(self.post(make_event(event_id="bad")), 105)
        self.control("faults", {"fault": "http", "status": 502, "probability": 0})
        state = self.control("faults", {"cure": True, "seed": 7})
        self.assertEqual(state["poisoned"], 0)
        self.assertEqual(state["rules"][0]["probability"], 0)
        self.assertAccepted(make_event(event_id="bad"))

    def test_an_order_that_makes_no_sense_is_refused(self):
        for order in (
            {"fault": "sulk"},
            {"poison": ["bad"], "fault": "sulk"},
            {"fault": "error"},
            {"fault": "slow", "seconds": "long"},
            {"fault": "reset", "times": "often"},
            {"cod": 190},
            [7],
        ):
            answer = requests.post(
                f"{self.graph.url}/_sandbox/faults", json=order, timeout=TIMEOUT
            )
            self.assertEqual(answer.status_code, 400, order)
        self.assertFalse(self.graph.faults.summary()["rules"])

    def test_a_poison_is_ordered_as_any_fault_over_http(self):
        self.control("faults", {"poison": ["bad"], "fault": "http", "status": 502})
        self.assertEqual(self.post(make_event(event_id="bad")).status_code, 502)
        order = {"poison": ["bad"], "fault": "error", "code": 2, "is_transient": True}
        self.control("faults", order)
        problem = self.assertRefused(self.post(make_event(event_id="bad")), 2)
        self.assertTrue(problem["is_transient"])
        self.control("faults", {"fault": "error_without_code", "http_status": 401})
        self.assertEqual(self.post(make_event()).status_code, 401)
        self.assertAccepted(make_event())

    def test_the_clock_is_set_over_http(self):
        self.control("clock", {"behind": 25})
        self.assertRefused(self.post(make_event()), 100, 2804004)
        self.control("clock", {"behind": 0})
        self.assertAccepted(make_event())

    def test_proof_is_asked_for_over_http(self):
        self.control("app", {"secret": "s3cret"})
        self.assertRefused(self.post(make_event()), 100)
        self.control("app", {"secret": None})
        self.assertAccepted(make_event())

    def test_pixels_are_set_over_http(self):
        self.control("pixels", {"pixel_id": "2000", "tokens": [self.graph.token]})
        body = {"data": [make_event()]}
        answer = self.session.post(self.edge("2000"), json=body, timeout=TIMEOUT)
        self.assertEqual(answer.status_code, 200)
        self.control("pixels", {"pixel_id": self.graph.pixel_id, "tokens": []})
        self.assertRefused(self.post(make_event()), 100, 33)
        self.control("pixels", {"pixel_id": "2000", "tokens": None})
        self.assertRefused(self.post(make_event()), 190)

    def test_events_and_requests_are_read_in_pages(self):
        self.post(*[make_event(event_id=str(n)) for n in range(5)])
        first = self.read("/_sandbox/events?limit=3").json()
        self.assertEqual((first["total"], first["next"]), (5, 3))
        second = self.read("/_sandbox/events?since=3").json()
        self.assertIsNone(second["next"])
        ids = [row["event"]["event_id"] for row in first["events"] + second["events"]]
        self.assertEqual(ids, ["0", "1", "2", "3", "4"])
        (request,) = self.read("/_sandbox/requests").json()["requests"]
        self.assertEqual(request["answer"]["events_received"], 5)
        self.assertEqual(request["token_source"], "header")

    def test_the_token_is_shown_nowhere(self):
        self.post(make_event(), access_token=self.graph.token)
        self.session.post(
            self.edge(), params={"access_token": self.graph.token}, timeout=TIMEOUT
        )
        for path in ("/", "/?all=1", "/_sandbox/requests", "/_sandbox/events"):
            self.assertNotIn(self.graph.token, self.read(path).text)

    def test_the_page_shows_events_and_refusals(self):
        self.post(make_event(event_source_url=None), test_event_code="TEST4711")
        self.post(make_event(event_id="old", event_time=1))
        page = self.read("/").text
        for text in (
            "Purchase",
            "S00042",
            "142.52 EUR",
            "TEST4711",
            "client_ip_address",
            "website event without event_source_url",
            "2804003",
            "days old",
        ):
            self.assertIn(text, page)
        self.assertLess(page.index("2804003"), page.index("S00042"))

    def test_the_stand_in_for_the_pixel_tells_what_the_browser_has_sent(self):
        script = self.read("/en_US/fbevents.js")
        self.assertIn("javascript", script.headers["Content-Type"])
        self.assertIn("fbq.callMethod", script.text)
        pixel = self.graph.pixel_id
        image = self.read(f"/tr/?id={pixel}&ev=Purchase&eid=S00042")
        self.assertEqual(image.headers["Content-Type"], "image/gif")
        self.read(f"/tr/?id={pixel}&ev=Microdata")
        told = self.read("/_sandbox/browser").json()["browser"]
        self.assertEqual(
            [(row["pixel_id"], row["event_name"], row["event_id"]) for row in told],
            [(pixel, "Purchase", "S00042"), (pixel, "Microdata", None)],
        )
        self.assertFalse(self.graph.requests, "a browser's event is no call of Graph")
        self.control("clear", {})
        self.assertEqual(self.read("/_sandbox/browser").json(), {"browser": []})

    def test_the_page_says_which_events_the_browser_has_told_too(self):
        self.post(make_event(event_id="both"), make_event(event_id="server"))
        for event_id in ("both", "browser"):
            self.read(f"/tr/?id={self.graph.pixel_id}&ev=Purchase&eid={event_id}")
        page = self.read("/").text
        self.assertEqual(page.count("counted once"), 1)
        self.assertIn("<code>both</code> by the browser, too: counted once", page)
        self.assertIn("<b>1</b>seen in the browser, too", page)

    def test_the_page_escapes_what_others_sent(self):
        self.post(make_event(event_name="<script>alert(1)</script>"))
        self.post(make_event(event_id="</pre><b>", surprise="<i>"))
        page = self.read("/").text
        self.assertNotIn("<script>alert", page)
        self.assertNotIn("</pre><b>", page)

    def test_sixteen_clients_at_once_lose_nothing(self):
        def client(number: int) -> None:
            with requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {self.graph.token}"
                for turn in range(20):
                    event = make_event(event_id=f"{number}-{turn}")
                    session.post(
                        self.edge(), json={"data": [event]}, timeout=TIMEOUT
                    ).raise_for_status()

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(client, range(16)))
        self.assertEqual(len(self.graph.deliveries()), 320)
        self.assertEqual(
            [request.index for request in self.graph.requests], list(range(320))
        )


class TestQualityEdge(GraphSandboxCase):
    """The edge that tells what Meta thinks of the events."""

    FIELDS = (
        "web{event_name,event_match_quality,event_coverage,dedupe_key_feedback,"
        "data_freshness,acr}"
    )

    def ask(self, **changes: Any) -> requests.Response:
        parameters = {"dataset_id": self.graph.pixel_id, "fields": self.FIELDS}
        return self.session.get(
            f"{self.graph.url}/v26.0/dataset_quality",
            params=parameters | changes,
            timeout=TIMEOUT,
        )

    def quality(self, name: str = "Purchase", **changes: Any) -> dict[str, Any]:
        answer = self.ask(**changes)
        self.assertEqual(answer.status_code, 200, answer.text)
        [row] = [row for row in answer.json()["web"] if row["event_name"] == name]
        return row

    def browse(self, *event_ids: str | None, name: str = "Purchase") -> None:
        for event_id in event_ids:
            more = {} if event_id is None else {"eid": event_id}
            requests.get(
                f"{self.graph.url}/tr/",
                params={"id": self.graph.pixel_id, "ev": name, **more},
                timeout=TIMEOUT,
            )

    def test_of_a_thousand_events_it_tells_what_a_count_by_hand_tells(self) -> None:
        """Of 1,000: 1 in 2 has a phone number, 1 in 4 a click, 3 in 4 an ID, which half
        of the 600 events of the browser have, too; 1 in 5 carries a private address.
        """
        now = int(time.time())
        events = []
        for number in range(1000):
            user_data: dict[str, Any] = {
                "em": [HASH],
                "client_user_agent": "Mozilla/5.0",
                "client_ip_address": "10.0.0.1" if number % 5 == 0 else "8.8.8.8",
            }
            if number % 2 == 0:
                user_data["ph"] = [HASH]
            if number % 4 == 0:
                user_data["fbc"] = f"fb.1.{now}000.AbC{number}"
            event_id = None if number % 4 == 3 else f"event-{number}"
            events.append(make_event(event_id=event_id, user_data=user_data))
        for start in range(0, 1000, 250):
            self.assertAccepted(*events[start : start + 250])
        told = [event["event_id"] for event in events if "event_id" in event]
        self.assertEqual(len(told), 750)
        self.browse(*told[:300])
        self.browse(*(f"browser-only-{number}" for number in range(240)))
        self.browse(*[None] * 60)
        row = self.quality()
        match = row["event_match_quality"]
        shares = {
            key["identifier"]: key["coverage"]["percentage"]
            for key in match["match_key_feedback"]
        }
        self.assertEqual(
            {key: share for key, share in shares.items() if share},
            {
                "email": 100.0,
                "phone": 50.0,
                "fbc": 25.0,
                "ip_address": 100.0,
                "user_agent": 100.0,
            },
        )
        # 3 for the e-mail address, half of 2, a quarter of 1, twice a half: 5.25.
        self.assertAlmostEqual(match["composite_score"], 5.25, delta=0.051)
        [fault] = match["diagnostics"]
        self.assertIn("client_ip_address", fault["name"])
        self.assertEqual(
            (
                fault["affected_event_count"],
                fault["total_event_count"],
                fault["percentage"],
            ),
            (200, 1000, 20.0),
        )
        # 1,000 from the server, 600 from the browser, 300 of them from both.
        self.assertEqual(row["event_coverage"]["percentage"], 166.7)
        self.assertEqual(row["event_coverage"]["goal_percentage"], 75)
        self.assertEqual(row["acr"]["percentage"], 116.7)
        self.assertEqual(
            row["dedupe_key_feedback"],
            [
                {
                    "dedupe_key": "event_id",
                    "server_events_with_dedupe_key": {"percentage": 75.0},
                    "browser_events_with_dedupe_key": {"percentage": 90.0},
                    "overall_browser_coverage_from_dedupe_key": {"percentage": 50.0},
                }
            ],
        )
        self.assertEqual(row["data_freshness"], {"upload_frequency": "real_time"})

    def test_an_event_that_came_twice_counts_once(self) -> None:
        self.assertAccepted(make_event())
        self.assertAccepted(make_event(), make_event(event_id="S00043"))
        self.browse("S00042", "S00042", "S00044")
        row = self.quality()
        self.assertEqual(row["event_coverage"]["percentage"], 100.0)
        [shared] = row["dedupe_key_feedback"]
        self.assertEqual(
            shared["overall_browser_coverage_from_dedupe_key"]["percentage"], 50.0
        )

    def test_what_needs_the_browser_is_left_out_without_it(self) -> None:
        self.assertAccepted(make_event())
        row = self.quality()
        self.assertNotIn("event_coverage", row)
        self.assertNotIn("acr", row)
        [shared] = row["dedupe_key_feedback"]
        self.assertEqual(shared.keys(), {"dedupe_key", "server_events_with_dedupe_key"})

    def test_each_event_of_a_website_has_a_row_and_no_other(self) -> None:
        self.assertEqual(self.ask().json(), {"web": []})
        store = make_event(event_name="Store", action_source="physical_store")
        self.assertAccepted(make_event(), make_event(event_name="Lead"), store)
        self.browse("1", name="PageView")
        rows = self.ask().json()["web"]
        self.assertEqual([row["event_name"] for row in rows], ["Lead", "Purchase"])
        self.graph.pixels["222"] = {self.graph.token}
        self.assertEqual(self.ask(dataset_id="222").json(), {"web": []})

    def test_late_events_are_not_real_time(self) -> None:
        now = int(time.time())
        for hours, frequency in ((0, "real_time"), (3, "hourly"), (30, "daily")):
            with self.subTest(hours=hours):
                self.graph.clear()
                self.assertAccepted(make_event(event_time=now - hours * 3600))
                freshness = self.quality()["data_freshness"]
                self.assertEqual(freshness["upload_frequency"], frequency)

    def test_an_agent_sees_its_own_events(self) -> None:
        self.assertAccepted(make_event(), partner_agent="Ours-1")
        self.assertAccepted(make_event(event_name="Lead"))
        rows = self.ask(agent_name="ours-1").json()["web"]
        self.assertEqual([row["event_name"] for row in rows], ["Purchase"])

    def test_it_tells_what_was_asked_for(self) -> None:
        self.assertAccepted(make_event())
        row = self.quality(
            fields="web{event_name,event_match_quality{composite_score}}"
        )
        self.assertEqual(row.keys(), {"event_name", "event_match_quality"})
        self.assertEqual(row["event_match_quality"].keys(), {"composite_score"})

    def test_what_cannot_be_asked_is_refused(self) -> None:
        for changes, code in (
            ({"dataset_id": None}, 100),
            ({"fields": None}, 100),
            ({"fields": "web{dedup_key_feedback}"}, 100),
            ({"fields": "offline"}, 100),
            ({"fields": "web{event_name"}, 2500),
            ({"fields": "web{event_name{a}}"}, 2500),
            ({"fields": "web{event_name,}"}, 2500),
            ({"fields": "web}"}, 2500),
            ({"fields": "web.event_name"}, 2500),
            ({"limit": "5"}, 100),
            ({"agent_name": "Ours"}, 100),
            ({"dataset_id": "abc"}, 803),
            ({"dataset_id": "999"}, 100),
        ):
            with self.subTest(changes):
                answer = self.ask(**changes)
                self.assertEqual(answer.json()["error"]["code"], code)
        answer = self.ask(dataset_id="999").json()["error"]
        self.assertEqual(answer["error_subcode"], 33)

    def test_only_a_known_token_learns_of_it_and_only_by_get(self) -> None:
        url = f"{self.graph.url}/v26.0/dataset_quality"
        parameters = {"dataset_id": self.graph.pixel_id, "fields": self.FIELDS}
        stranger = requests.get(url, params=parameters, timeout=TIMEOUT)
        self.assertEqual(stranger.json()["error"]["code"], 190)
        posted = self.session.post(url, params=parameters, timeout=TIMEOUT)
        self.assertEqual(posted.json()["error"]["error_subcode"], 33)
        for path, code in (
            ("v26.0/dataset_quality/events", 803),
            ("v26.0/dataset_quality/x", 2500),
            ("v99.0/dataset_quality", 2500),
            ("v20.0/dataset_quality", 2635),
        ):
            with self.subTest(path):
                answer = self.session.get(
                    f"{self.graph.url}/{path}", params=parameters, timeout=TIMEOUT
                )
                self.assertEqual(answer.json()["error"]["code"], code)

    def test_refusals_are_scripted_as_for_events(self) -> None:
        self.graph.fail_next(error(200), pixel_id=self.graph.pixel_id)
        self.assertEqual(self.ask().json()["error"]["code"], 200)
        self.assertEqual(self.ask().status_code, 200)
