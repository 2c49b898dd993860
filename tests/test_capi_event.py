from __future__ import annotations

import doctest
import json
import uuid
from collections import UserDict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import phonenumbers

from ..capi import event as event_module
from ..capi import weaknesses as weaknesses_module
from ..capi.const import MAX_PROBLEMS
from ..capi.custom_data import read_custom_data
from ..capi.event import ServerEvent, read_event
from ..capi.normalize import sha256
from ..capi.reading import Problems, has_phone
from ..capi.weaknesses import weaknesses

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

NOW = 1_795_435_200.5
DAY = 24 * 3600
JANE = sha256("jane@example.com")
HUGE = "x" * 1_000_000


class Hostile:
    """An object that fails, and tells a secret, whatever it is asked."""

    def _fail(self, *_args):
        raise RuntimeError("jane@example.com")

    __bool__ = __eq__ = __hash__ = __iter__ = __len__ = __repr__ = __str__ = _fail
    __class__ = property(_fail)


class HostileDict(dict):
    def _fail(self, *_args):
        raise RuntimeError("jane@example.com")

    __getitem__ = __iter__ = get = items = keys = values = _fail


class HostileText(str):
    def _fail(self, *_args):
        raise RuntimeError("jane@example.com")

    __eq__ = __str__ = __len__ = lower = strip = _fail
    __hash__ = str.__hash__


def cycle():
    itself = []
    itself.append(itself)
    return itself


def bush():
    """Return a small thing that would take forever to write down."""
    twig = []
    for _depth in range(9):
        twig = [twig] * 100
    return twig


GARBAGE = (
    b"jane@example.com",
    float("nan"),
    float("inf"),
    10**400,
    10**5000,
    -(10**400),
    Decimal("sNaN"),
    Decimal("1e400"),
    "\x00",
    "a\x00b",
    "\ud800",
    HUGE,
    1.5,
    True,
    [],
    [[]],
    ["a", 1],
    {"a": 1},
    {1: 2},
    {"\ud800": "\x00"},
    {HUGE: HUGE},
    cycle(),
    {"a": cycle()},
    bush(),
    datetime.min,
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    date.max,
    [date.min],
    complex(1, 2),
    object(),
    object,
    len,
    range(3),
    Hostile(),
    [Hostile()],
    {"em": Hostile(), "value": Hostile(), "contents": [Hostile()]},
    HostileDict(em="jane@example.com", value=1),
    HostileText("text"),
)


class EventCase(BaseCase):
    def read(self, **arguments):
        """Read a valid lead that has other ``arguments``."""
        lead = {"event_name": "Lead", "user_data": {"em": "jane@example.com"}}
        return read_event(lead | arguments, now=NOW)

    def assertRead(self, expected, field, **arguments):
        """Check one parameter of an event that has nothing wrong with it."""
        event, problems = self.read(**arguments)
        self.assertEqual(problems, [])
        self.assertEqual(getattr(event, field), expected)

    def assertProblem(self, field, **arguments):
        """Check that ``field`` is all that is wrong, and return the event."""
        event, problems = self.read(**arguments)
        self.assertEqual([problem.field for problem in problems], [field])
        self.assertStorable(event, problems)
        return event

    def assertLeftOut(self, *fields, **arguments):
        """Check that the event is sent without these, and return it."""
        event, problems = self.read(**arguments)
        self.assertEqual(problems, [])
        self.assertEqual([found.field for found in problems.left_out], list(fields))
        self.assertStorable(event, problems.left_out)
        return event

    def assertStorable(self, event, problems):
        """Check that PostgreSQL and Meta take an event, and that it is no giant."""
        text = json.dumps(event.to_dict(), allow_nan=False)
        self.assertNotIn("\\u0000", text)
        self.assertLess(len(text), 1_000_000)
        text = json.dumps(event.to_dict(), ensure_ascii=False, allow_nan=False)
        text += "".join(map(str, problems))
        text.encode()
        self.assertNotIn("jane", text)
        self.assertLess(sum(len(str(problem)) for problem in problems), 10_000)
        self.assertIsInstance(event.event_name, str)
        self.assertLessEqual(len(event.event_name), 100)
        self.assertTrue(event.event_id)
        self.assertLessEqual(len(event.event_id), 100)
        self.assertIs(type(event.event_time), int)


class TestServerEvent(EventCase):
    def test_the_examples_in_the_docstrings_hold(self):
        for module in (event_module, weaknesses_module):
            with self.subTest(module.__name__):
                self.assertEqual(doctest.testmod(module).failed, 0)

    def test_what_is_not_set_is_left_out(self):
        event = ServerEvent("Lead", 1, "2", "other", {"em": JANE})
        self.assertEqual(
            event.to_dict(),
            {
                "event_name": "Lead",
                "event_time": 1,
                "event_id": "2",
                "action_source": "other",
                "user_data": {"em": JANE},
            },
        )

    def test_what_is_false_or_empty_is_sent(self):
        event = ServerEvent(
            "Lead",
            1,
            "2",
            "other",
            {"em": JANE},
            opt_out=False,
            data_processing_options=[],
        )
        sent = event.to_dict()
        self.assertIs(sent["opt_out"], False)
        self.assertEqual(sent["data_processing_options"], [])

    def test_a_purchase_is_read_as_meta_wants_it(self):
        event, problems = read_event(
            {
                "event_name": " Purchase ",
                "event_time": NOW - 5,
                "event_id": 42,
                "action_source": "website",
                "event_source_url": "https://shop.example/shop/confirmation",
                "user_data": {
                    "em": [" Jane@Example.com", "jane@example.com", "n/a"],
                    "ph": "030 901820",
                    "client_ip_address": "203.0.113.7",
                },
                "custom_data": {
                    "currency": "eur",
                    "value": Decimal("99.50"),
                    "content_ids": (7, False, "B"),
                    "contents": [{"id": 7, "quantity": 2.0, "item_price": "49.75"}],
                    "num_items": 2.0,
                    "order_id": "S00042",
                    "delivered": date(2026, 11, 23),
                },
                "data_processing_options": ("LDU",),
                "opt_out": False,
            },
            now=NOW,
            default_country="DE",
        )
        self.assertEqual(problems, [])
        self.assertEqual(
            event.to_dict(),
            {
                "event_name": "Purchase",
                "event_time": int(NOW) - 5,
                "event_id": "42",
                "action_source": "website",
                "user_data": {
                    "em": [JANE],
                    "ph": sha256("4930901820"),
                    "client_ip_address": "203.0.113.7",
                },
                "custom_data": {
                    "currency": "EUR",
                    "value": 99.5,
                    "content_ids": ["7", "B"],
                    "contents": [{"id": "7", "quantity": 2, "item_price": 49.75}],
                    "num_items": 2,
                    "order_id": "S00042",
                    "delivered": "2026-11-23",
                },
                "event_source_url": "https://shop.example/shop/confirmation",
                "opt_out": False,
                "data_processing_options": ["LDU"],
                "data_processing_options_country": 0,
                "data_processing_options_state": 0,
            },
        )


class TestReadEvent(EventCase):
    def test_what_is_not_given_has_a_default(self):
        event, problems = self.read(event_id=None, event_time=None, action_source=None)
        self.assertEqual(problems, [])
        self.assertEqual(event.event_time, int(NOW))
        self.assertEqual(str(uuid.UUID(event.event_id)), event.event_id)
        self.assertEqual(event.action_source, "other")

    def test_unknown_parameters_are_named(self):
        self.assertProblem("event", event="Lead")
        self.assertProblem("?", **{"jane@example.com": 1})

    def test_names_and_ids_are_kept_exactly_but_for_their_ends(self):
        self.assertRead("Größe XL", "event_name", event_name="\tGröße XL ")
        self.assertRead("a" * 100, "event_name", event_name="a" * 100)
        self.assertRead("Ab-1", "event_id", event_id=" Ab-1\n")
        self.assertRead("-7", "event_id", event_id=-7)

    def test_unusable_names_leave_what_can_be_stored_of_them(self):
        for name, start in (
            ("a" * 101, "a" * 100),
            (HUGE, "x" * 100),
            ("\x00Le\x1fad\ud800", "Lead"),
            ("Lead of jane@example.com", ""),
            ("Lead of +49 30 901820", ""),
            (" ", ""),
            (False, ""),
            (None, ""),
            (7, ""),
            (b"Lead", ""),
        ):
            with self.subTest(name=str(name)[:20]):
                event = self.assertProblem("event_name", event_name=name)
                self.assertEqual(event.event_name, start)

    def test_unusable_ids_leave_their_start_or_a_new_id(self):
        event = self.assertProblem("event_id", event_id="i" * 101)
        self.assertEqual(event.event_id, "i" * 100)
        personal = ("jane@example.com", "+4930901820")
        for event_id in (True, 1.5, b"1", 10**400, "\x00", *personal):
            with self.subTest(event_id=str(event_id)[:20]):
                event = self.assertProblem("event_id", event_id=event_id)
                self.assertTrue(uuid.UUID(event.event_id))

    def test_times_are_read_in_every_clear_form(self):
        moment = datetime.fromtimestamp(int(NOW) - 60, timezone.utc)
        for value in (
            int(NOW) - 60,
            float(int(NOW) - 60) + 0.9,
            Decimal(int(NOW) - 60),
            str(int(NOW) - 60),
            moment,
            moment.replace(tzinfo=None),
            moment.astimezone(timezone(timedelta(hours=-5))),
            moment.isoformat(),
            moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            moment.strftime("%Y-%m-%d %H:%M:%S"),
        ):
            with self.subTest(value=value):
                self.assertRead(int(NOW) - 60, "event_time", event_time=value)

    def test_a_day_is_its_midnight(self):
        day = datetime.fromtimestamp(NOW, timezone.utc).date()
        self.assertRead(int(NOW) // DAY * DAY, "event_time", event_time=day)

    def test_an_empty_time_is_now(self):
        for value in (None, False, ""):
            with self.subTest(value=value):
                self.assertRead(int(NOW), "event_time", event_time=value)

    def test_unreadable_times_leave_now(self):
        for value in (
            True,
            "yesterday",
            "20261123",
            float("nan"),
            0,
            -1,
            NOW * 1000,
            str(int(NOW * 1000)),
            datetime.max,
            [NOW],
        ):
            with self.subTest(value=value):
                event = self.assertProblem("event_time", event_time=value)
                self.assertEqual(event.event_time, int(NOW))

    def test_milliseconds_are_called_so(self):
        _event, (problem,) = self.read(event_time=NOW * 1000)
        self.assertIn("not milliseconds", problem.reason)

    def test_clocks_may_differ_by_a_minute(self):
        self.assertRead(int(NOW) + 59, "event_time", event_time=NOW + 59)
        event = self.assertProblem("event_time", event_time=NOW + 62)
        self.assertEqual(event.event_time, int(NOW) + 62)

    def test_events_past_their_window_keep_their_time(self):
        for days, source in ((6.9, "website"), (61.9, "physical_store")):
            with self.subTest(days=days, source=source):
                past = int(NOW - days * DAY)
                arguments = {"event_time": past, "action_source": source}
                self.assertRead(past, "event_time", **arguments)
        for days, source in ((7.1, "website"), (62.1, "physical_store")):
            with self.subTest(days=days, source=source):
                past = int(NOW - days * DAY)
                arguments = {"event_time": past, "action_source": source}
                event = self.assertProblem("event_time", **arguments)
                self.assertEqual(event.event_time, past)

    def test_unknown_sources_are_refused(self):
        for source in ("website", " Website ", "WEBSITE"):
            self.assertRead("website", "action_source", action_source=source)
        for source in ("web", 1, ["website"], "\x00"):
            with self.subTest(source=source):
                event = self.assertProblem("action_source", action_source=source)
                self.assertEqual(event.action_source, "other")

    def test_urls_are_those_of_pages(self):
        url = "HTTPS://shop.example/größe?a=1#b"
        self.assertRead(url, "event_source_url", event_source_url=url)
        self.assertRead(None, "referrer_url", referrer_url="")
        for value in (
            "/shop",
            "javascript:alert(1)",
            "https://",
            "https://shop.example/\x00",
            "https://shop.example/" + HUGE,
            7,
            [url],
        ):
            with self.subTest(value=str(value)[:30]):
                event = self.assertLeftOut("event_source_url", event_source_url=value)
                self.assertIsNone(event.event_source_url)
                self.assertLeftOut("referrer_url", referrer_url=value)

    def test_urls_lose_what_may_name_a_person(self):
        for given, kept in (
            ("https://a.example/?to=jane@b.example&x=1", "https://a.example/?x=1"),
            ("https://a.example/?x=1&to=jane%40b.example", "https://a.example/?x=1"),
            ("https://a.example/?token=x&x=1", "https://a.example/?x=1"),
        ):
            with self.subTest(given=given):
                self.assertRead(kept, "event_source_url", event_source_url=given)
                self.assertRead(kept, "referrer_url", referrer_url=given)

    def test_opting_out_is_a_boolean(self):
        for value in (True, False, None):
            self.assertRead(value, "opt_out", opt_out=value)
        for value in (0, 1, "yes", []):
            with self.subTest(value=value):
                self.assertProblem("opt_out", opt_out=value)

    def test_limited_data_use_leaves_the_place_to_meta(self):
        event, problems = self.read(data_processing_options=["LDU"])
        self.assertEqual(problems, [])
        self.assertEqual(event.data_processing_options, ["LDU"])
        self.assertEqual(event.data_processing_options_country, 0)
        self.assertEqual(event.data_processing_options_state, 0)

    def test_limited_data_use_takes_a_place(self):
        place = {
            "data_processing_options_country": 1,
            "data_processing_options_state": 1000,
        }
        event, problems = self.read(data_processing_options=["LDU"], **place)
        self.assertEqual(problems, [])
        self.assertEqual(event.data_processing_options_country, 1)
        self.assertEqual(event.data_processing_options_state, 1000)
        self.assertProblem("data_processing_options", **place)

    def test_no_limited_data_use_can_be_said(self):
        event, problems = self.read(data_processing_options=[])
        self.assertEqual(problems, [])
        self.assertEqual(event.data_processing_options, [])
        self.assertIsNone(event.data_processing_options_country)

    def test_other_options_are_refused(self):
        for value in (["ldu"], ["LDU", "X"], "LDU", {"LDU": 1}, [1], 1):
            with self.subTest(value=value):
                self.assertProblem(
                    "data_processing_options", data_processing_options=value
                )


class TestReadUserData(EventCase):
    def test_texts_stay_texts_and_lists_stay_lists(self):
        for value, expected in (
            ("Jane@Example.com", JANE),
            (["jane@example.com"], [JANE]),
            (("joe@eg.com", JANE.upper()), [sha256("joe@eg.com"), JANE]),
            ({"jane@example.com"}, [JANE]),
        ):
            with self.subTest(value=value):
                self.assertRead({"em": expected}, "user_data", user_data={"em": value})

    def test_digests_are_not_hashed_again(self):
        for key in ("em", "ph", "fn", "db", "country", "external_id"):
            with self.subTest(key=key):
                user_data = {"external_id": JANE, key: f" {JANE.upper()}"}
                event, problems = self.read(user_data=user_data)
                self.assertEqual(problems, [])
                self.assertEqual(event.user_data[key], JANE)

    def test_what_has_no_normal_form_is_left_out(self):
        empty = (None, False, "", " ", "N/A", [], [None, ""], sha256(""))
        for value in empty:
            with self.subTest(value=value):
                user_data = dict.fromkeys("em ph fn ln ge db ct st zp".split(), value)
                user_data |= {"country": value, "external_id": 42}
                expected = {"external_id": sha256("42")}
                self.assertRead(expected, "user_data", user_data=user_data)

    def test_numbers_are_read_as_texts(self):
        user_data = {"external_id": 42, "zp": 94035, "db": 19970216}
        expected = {
            "external_id": sha256("42"),
            "zp": sha256("94035"),
            "db": sha256("19970216"),
        }
        self.assertRead(expected, "user_data", user_data=user_data)

    def test_birthdays_may_be_dates(self):
        user_data = {"em": JANE, "db": [date(1997, 2, 16)]}
        expected = {"em": JANE, "db": [sha256("19970216")]}
        self.assertRead(expected, "user_data", user_data=user_data)

    def test_phones_are_read_in_the_country_of_the_customer(self):
        for country in ("FR", " fr ", ["FR", "DE"], sha256("fr") + ".AQQCAQMC"):
            with self.subTest(country=country):
                arguments = {
                    "event_name": "Lead",
                    "user_data": {"ph": "06 12 34 56 78", "country": country},
                }
                event, problems = read_event(arguments, now=NOW, default_country="DE")
                self.assertEqual(problems, [])
                self.assertEqual(event.user_data["ph"], sha256("33612345678"))

    def test_postal_codes_are_read_in_the_country_of_the_customer(self):
        user_data = {"em": JANE, "zp": "12345-6789", "st": "Georgia", "country": "GE"}
        event, problems = self.read(user_data=user_data)
        self.assertEqual(problems, [])
        self.assertEqual(event.user_data["zp"], sha256("123456789"))
        self.assertEqual(event.user_data["st"], sha256("georgia"))

    def test_unknown_keys_are_named(self):
        for key, shown in (
            ("favourite_colour", "favourite_colour"),
            ("shoe size", "shoe_size"),
            ("jane@example.com", "?"),
        ):
            with self.subTest(key=key):
                user_data = {"em": JANE, key: "Jane"}
                event = self.assertLeftOut(f"user_data.{shown}", user_data=user_data)
                self.assertEqual(event.user_data, {"em": JANE})

    def test_the_names_that_metas_libraries_give_to_keys_are_known(self):
        user_data = {
            "email": "jane@example.com",
            "phones": ["+49 30 901820"],
            "first_name": "Jane",
            "zip_code": "94025",
            "country_code": "US",
            "browser_id": "fb.1.1596403881668.1116446470",
        }
        expected = {
            "em": JANE,
            "ph": [sha256("4930901820")],
            "fn": sha256("jane"),
            "zp": sha256("94025"),
            "country": sha256("us"),
            "fbp": "fb.1.1596403881668.1116446470",
        }
        self.assertRead(expected, "user_data", user_data=user_data)
        # The document's own name counts.
        user_data = {"email": "joe@eg.com", "em": "jane@example.com"}
        self.assertRead({"em": JANE}, "user_data", user_data=user_data)

    def test_keys_that_only_metas_libraries_have_are_hashed_as_they_do(self):
        for key, value, normal in (
            ("f5first", "Jonathan", "jonat"),
            ("f5last", "O'Brien", "obrie"),
            ("fi", "Jane", "j"),
            ("dobd", 7, "07"),
            ("dobm", "2", "02"),
            ("doby", "1997", "1997"),
        ):
            with self.subTest(key=key):
                user_data = {"em": JANE, key: value}
                expected = {"em": JANE, key: sha256(normal)}
                self.assertRead(expected, "user_data", user_data=user_data)
        for key, value in (("dobd", "32"), ("dobm", "0"), ("doby", "97"), ("fi", "7")):
            with self.subTest(key=key):
                user_data = {"em": JANE, key: value}
                self.assertRead({"em": JANE}, "user_data", user_data=user_data)

    def test_ids_of_partners_and_apps_pass_as_they_are(self):
        user_data = {"em": JANE, "partner_id": "P-1", "app_user_id": "User 7"}
        self.assertRead(dict(user_data), "user_data", user_data=user_data)

    def test_several_readings_of_one_text_are_all_told(self):
        for key, value, found in (
            ("em", "jane@example.com; joe@eg.com", ("jane@example.com", "joe@eg.com")),
            ("ph", "+49 30 901820 / +49 171 1234567", ("4930901820", "491711234567")),
        ):
            with self.subTest(key=key):
                digests = list(map(sha256, found))
                for given in (value, [value, value]):
                    self.assertRead({key: digests}, "user_data", user_data={key: given})

    def test_addresses_that_are_nobodys_alone_are_left_out_and_match_nobody(self):
        for address in (
            "10.0.0.1 100.64.0.1 127.0.0.1 169.254.1.1 172.16.0.1 172.31.255.255"
            " 192.168.1.1 0.0.0.0 192.0.0.1 198.18.0.1 224.0.0.1 240.0.0.1"
            " 255.255.255.255 ::1 :: fe80::1 fc00::1 fd12::1 ff02::1"
            " ::ffff:10.0.0.1 ::ffff:127.0.0.1 10.0.0.1.AQQCAQMC"
        ).split():
            with self.subTest(address=address):
                user_data = {"em": JANE, "client_ip_address": address}
                self.assertRead({"em": JANE}, "user_data", user_data=user_data)
                user_data = {"fn": "Jane", "ge": "f", "client_ip_address": address}
                self.assertProblem("user_data", user_data=user_data)
        for address in (
            "8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255"
            " 172.32.0.0 192.167.255.255 192.169.0.0 223.255.255.255 203.0.113.7"
            " 2a00:1450:4001::200e ::ffff:8.8.8.8"
        ).split():
            with self.subTest(address=address):
                user_data = {"client_ip_address": address}
                self.assertRead(dict(user_data), "user_data", user_data=user_data)

    def test_the_rest_is_kept_when_a_key_is_unreadable(self):
        event = self.assertLeftOut(
            "user_data.ph", user_data={"em": "jane@example.com", "ph": b"1"}
        )
        self.assertEqual(event.user_data, {"em": JANE})
        event = self.assertLeftOut(
            "user_data.em", user_data={"em": ["jane@example.com", b"1"]}
        )
        self.assertEqual(event.user_data, {"em": [JANE]})

    def test_whole_numbers_are_texts_however_they_are_counted(self):
        user_data = {"external_id": 42.0, "zp": 94035.0}
        expected = {"external_id": sha256("42"), "zp": sha256("94035")}
        self.assertRead(expected, "user_data", user_data=user_data)

    def test_values_of_other_kinds_are_left_out(self):
        for value in (b"x", {}, object(), 1.5, True, float("nan"), "\x00", HUGE, [[1]]):
            for key in ("em", "ph", "external_id", "db"):
                with self.subTest(key=key, value=str(value)[:20]):
                    user_data = {"lead_id": 1, key: value}
                    event = self.assertLeftOut(f"user_data.{key}", user_data=user_data)
                    self.assertEqual(event.user_data, {"lead_id": 1})
        user_data = {"lead_id": 1, "em": ["a@b.co"] * 101}
        self.assertLeftOut("user_data.em", user_data=user_data)

    def test_an_event_left_with_nobody_is_refused(self):
        self.assertProblem("user_data", user_data={"em": b"x"})

    def test_other_kinds_of_user_data_are_refused(self):
        for value in ([], ["em"], "jane@example.com", 1, {1: "x"}, object()):
            with self.subTest(value=value):
                event = self.assertProblem("user_data", user_data=value)
                self.assertEqual(event.user_data, {})

    def test_the_browsers_traces_are_not_altered(self):
        user_data = {
            "client_ip_address": "2001:DB8::1",
            "client_user_agent": " Mozilla/5.0 (bot@example.com)\t",
            "fbc": "fb.1.1554763741205.AbCdEf_gh-IJ",
            "fbp": "fb.1.1596403881668.1116446470.AQQCAQMC",
            "lead_id": 1234567890123456,
            "subscription_id": "Sub 1",
        }
        self.assertRead(dict(user_data), "user_data", user_data=user_data)

    def test_malformed_traces_are_left_out(self):
        for key, values in {
            "fbc": ("AbCdEf", "fb.1.1554763741.AbC", "fb.1.1554763741205", JANE),
            "fbp": ("fb.1.1596403881668.1.2.3", "fb.1.1596403881668.1 ", "fb.1.x.1"),
            "client_ip_address": ("localhost", "1.2.3", " 203.0.113.7", JANE),
            "client_user_agent": (JANE, "", None, False),
            "lead_id": (JANE,),
        }.items():
            for value in values:
                with self.subTest(key=key, value=value):
                    user_data = {"em": JANE, key: value}
                    self.assertRead({"em": JANE}, "user_data", user_data=user_data)

    def test_an_address_may_carry_the_parameter_builders_mark(self):
        user_data = {"client_ip_address": "203.0.113.7.AQQCAQMC"}
        self.assertRead(dict(user_data), "user_data", user_data=user_data)

    def test_traces_of_other_kinds_are_left_out(self):
        for key in ("client_ip_address", "client_user_agent", "fbc", "fbp", "page_id"):
            for value in (b"x", 1.5, True, ["x"], "a\x00", "\ud800", HUGE, 10**400):
                with self.subTest(key=key, value=str(value)[:20]):
                    user_data = {"em": JANE, key: value}
                    event = self.assertLeftOut(f"user_data.{key}", user_data=user_data)
                    self.assertEqual(event.user_data, {"em": JANE})

    def test_data_that_could_be_anybodys_is_refused(self):
        for user_data in (
            {},
            None,
            {"em": "n/a"},
            {"client_user_agent": "Mozilla/5.0"},
            {"ct": "Berlin", "country": "DE", "zp": "10115", "ge": "f"},
            {"db": "1997-02-16", "client_user_agent": "Mozilla/5.0"},
            {"fn": "Jane", "ge": "f"},
        ):
            with self.subTest(user_data=user_data):
                _event, (problem,) = self.read(user_data=user_data)
                self.assertEqual(problem.field, "user_data")
                self.assertIn("give em, ph", problem.reason)
        self.assertRead(
            {"fn": sha256("jane"), "ln": sha256("doe")},
            "user_data",
            user_data={"fn": "Jane", "ln": "Doe"},
        )


class TestReadCustomData(EventCase):
    def assertCustom(self, expected, **custom_data):
        self.assertRead(expected, "custom_data", custom_data=custom_data)

    def test_an_amount_that_could_be_another_is_refused(self):
        for value, currency in (
            ("-$5", "USD"),
            ("A$12", "USD"),
            ("HK$12", "SGD"),
            ("CN¥12", "JPY"),
            ("12.000 ₫", "VND"),
            ("IDR 12.000", "IDR"),
            ("$ 12.990", "CLP"),
        ):
            problems = Problems()
            given = {"value": value, "currency": currency}
            with self.subTest(value=value):
                read_custom_data("custom_data", given, problems)
                self.assertTrue(problems.concern("custom_data.value"))

    def test_an_amount_beside_its_currency_is_read(self):
        for value, currency, amount in (
            ("12.50 €", "EUR", 12.5),
            ("US$ 5", "USD", 5),
            ("KWD 12.500", "KWD", 12.5),
            ("0.125 €", "EUR", 0.125),
        ):
            given = {"value": value, "currency": currency}
            with self.subTest(value=value):
                found = read_custom_data("custom_data", given, Problems())
                self.assertEqual(found["value"], amount)

    def test_what_json_lacks_is_converted(self):
        self.assertCustom(
            {
                "day": "2026-11-23",
                "time": "2026-11-23T12:00:00",
                "price": 19.99,
                "pair": [1, "b"],
                "single": ["a"],
                "yes": True,
                "deep": {"a": {"b": [None]}},
            },
            day=date(2026, 11, 23),
            time=datetime(2026, 11, 23, 12),
            price=Decimal("19.99"),
            pair=(1, "b"),
            single={"a"},
            yes=True,
            deep=UserDict(a={"b": [None], "c": None}),
            nothing=None,
        )

    def test_what_json_lacks_and_nothing_replaces_is_left_out(self):
        for value in (
            b"x",
            object(),
            Hostile(),
            float("nan"),
            10**400,
            "\x00",
            "\ud800",
            cycle(),
            bush(),
            "x" * 250_001,
            HostileDict(a=1, b=HostileDict()),
            range(10**9),
        ):
            with self.subTest(kind=type(value)):
                event, problems = self.read(custom_data={"extra": value, "status": "x"})
                self.assertEqual(problems, [])
                (left_out,) = problems.left_out
                self.assertTrue(left_out.field.startswith("custom_data.extra"))
                self.assertEqual(event.custom_data, {"status": "x"})

    def test_the_place_of_a_problem_is_named(self):
        self.assertLeftOut("custom_data.a.b[1]", custom_data={"a": {"b": [1, b""]}})

    def test_other_kinds_of_custom_data_are_refused(self):
        for value in ([], "x", 1, True, {1: 2}, object()):
            with self.subTest(value=value):
                event = self.assertProblem("custom_data", custom_data=value)
                self.assertIsNone(event.custom_data)

    def test_keys_must_be_sendable(self):
        self.assertLeftOut("custom_data.a_b", custom_data={"a\x00b": 1})
        self.assertLeftOut("custom_data._", custom_data={"\ud800": 1})
        self.assertLeftOut("custom_data." + "x" * 40, custom_data={HUGE: 1})
        self.assertProblem("custom_data.?", custom_data={"jane@example.com": 1})

    def test_too_much_in_all_names_the_largest(self):
        custom_data = {f"key_{letter}": "x" * 70_000 for letter in "abc"}
        custom_data["key_b"] += "größe"
        self.assertRead(custom_data, "custom_data", custom_data=custom_data)
        custom_data["key_d"] = "x" * 70_000
        event = self.assertLeftOut("custom_data.key_b", custom_data=custom_data)
        self.assertEqual(event.custom_data.keys(), custom_data.keys() - {"key_b"})

    def test_e_mail_addresses_and_phone_numbers_are_refused(self):
        for value, reason in (
            ("Mail jane@example.com", "pass it as user_data's em"),
            ("/?to=jane%40example.com", "pass it as user_data's em"),
            ("Call +49 30 901820", "pass it as user_data's ph"),
            ("/?to=%2B4930901820", "pass it as user_data's ph"),
        ):
            for custom_data, field in (
                ({"content_name": value}, "content_name"),
                ({"order_id": value}, "order_id"),
                ({"search_string": value}, "search_string"),
                ({"content_ids": [value]}, "content_ids[0]"),
                ({"contents": [{"id": 1, "title": value}]}, "contents[0].title"),
                ({"extra": {"x": [value]}}, "extra.x[0]"),
            ):
                with self.subTest(custom_data=custom_data):
                    self.assertProblem(f"custom_data.{field}", custom_data=custom_data)
                    _event, (problem,) = self.read(custom_data=custom_data)
                    self.assertIn(reason, problem.reason)
        _event, (problem,) = self.read(custom_data={"+49 30 901820": 1})
        self.assertNotIn("901820", str(problem))

    def test_many_signs_are_searched_in_no_time(self):
        for sign in ("@", "+", "+1", "(+", "+12345678 "):
            text = sign * (240_000 // len(sign))
            _event, problems = self.read(custom_data={"a": text})
            self.assertEqual(problems, [])

    def test_ids_become_lists_of_texts(self):
        for value, expected in (
            ([1, "B", False, None, ""], ["1", "B"]),
            ('["a", 2]', ["a", "2"]),
            ("[a", ["[a"]),
            ([1.0, Decimal(2)], ["1", "2"]),
            (7, ["7"]),
            ("A-1", ["A-1"]),
            ((1, 1), ["1", "1"]),
        ):
            with self.subTest(value=value):
                self.assertCustom({"content_ids": expected}, content_ids=value)
        self.assertCustom(None, content_ids=[False])
        for value in ([1.5], [True], [{}], [[1]], [b"x"], ["a\x00"]):
            with self.subTest(value=value):
                event = self.assertLeftOut(
                    "custom_data.content_ids[0]",
                    custom_data={"content_ids": [*value, "kept"]},
                )
                self.assertEqual(event.custom_data, {"content_ids": ["kept"]})

    def test_contents_need_an_id(self):
        self.assertCustom(
            {"contents": [{"id": "1", "quantity": 1.5}, {"id": "2", "x": [1]}]},
            contents=[{"id": 1, "quantity": "1.5"}, {"id": "2", "x": (1,)}],
        )
        self.assertCustom({"contents": [{"id": "1"}]}, contents='[{"id": 1}]')
        for value in ([{"quantity": 1}], [{"id": False}]):
            with self.subTest(value=value):
                custom_data = {"contents": value}
                self.assertProblem(
                    "custom_data.contents[0].id", custom_data=custom_data
                )

    def test_what_is_wrong_with_a_product_is_left_out(self):
        for value, field, kept in (
            ([{"id": 1, "quantity": "many"}], "[0].quantity", [{"id": "1"}]),
            ([{"id": 1, "item_price": float("inf")}], "[0].item_price", [{"id": "1"}]),
            ([{"id": 1, "x": b""}], "[0].x", [{"id": "1"}]),
            ([{"id": 1}, "2"], "[1]", [{"id": "1"}]),
        ):
            with self.subTest(value=value):
                event = self.assertLeftOut(
                    f"custom_data.contents{field}", custom_data={"contents": value}
                )
                self.assertEqual(event.custom_data, {"contents": kept})
        self.assertLeftOut("custom_data.contents[0]", custom_data={"contents": "A-1"})

    def test_values_are_amounts(self):
        for value, expected in ((0, 0), ("12.50", 12.5), (Decimal(3), 3.0)):
            with self.subTest(value=value):
                expected = {"value": expected, "currency": "USD"}
                self.assertCustom(expected, value=value, currency=" usd ")
        for value in (
            True,
            "12,50",
            "1e5",
            "nan",
            float("nan"),
            -1,
            10**400,
            [1],
            b"1",
        ):
            with self.subTest(value=value):
                custom_data = {"value": value, "currency": "USD"}
                event = self.assertProblem("custom_data.value", custom_data=custom_data)
                self.assertEqual(event.custom_data, {"currency": "USD"})

    def test_a_currency_may_stand_beside_an_amount(self):
        for value, currency in (
            ("12.50 €", "EUR"),
            ("€12.50", "EUR"),
            ("12.50\u00a0EUR", "eur"),
            ("US$ 12.50", "USD"),
            ("$12.50", "CAD"),
            ("12.50 £", "GBP"),
            ("INR 12.50", "INR"),
        ):
            with self.subTest(value=value):
                event, problems = self.read(
                    custom_data={"value": value, "currency": currency}
                )
                self.assertEqual(problems, [])
                self.assertEqual(event.custom_data["value"], 12.5)

    def test_an_amount_of_another_currency_is_refused(self):
        for value in (
            *("12.50 €", "12.50 EUR", "1.250,00 $", "12.50 $ 3", "$ 12.50 €"),
            *("free", "n/a", "on request"),
        ):
            with self.subTest(value=value):
                self.assertProblem(
                    "custom_data.value",
                    custom_data={"value": value, "currency": "USD"},
                )
        for value in ("12.50 $", "US$ 12.50", "12.50 ₿"):
            with self.subTest(value=value):
                self.assertProblem(
                    "custom_data.value",
                    custom_data={"value": value, "currency": "EUR"},
                )

    def test_currencies_are_those_of_iso_4217(self):
        for value in ("XXX", "EURO", "€", 978, ["EUR"], True):
            with self.subTest(value=value):
                self.assertProblem(
                    "custom_data.currency", custom_data={"currency": value}
                )

    def test_counts_are_whole(self):
        self.assertCustom({"num_items": 3}, num_items=3.0)
        for value in (2.5, -1, "x", True):
            with self.subTest(value=value):
                self.assertLeftOut(
                    "custom_data.num_items", custom_data={"num_items": value}
                )

    def test_texts_are_texts(self):
        self.assertCustom({"order_id": "42"}, order_id=42, content_name=False)
        self.assertCustom({"search_string": "42"}, search_string=42)
        self.assertCustom({"content_name": "a"}, content_name=["a"])
        for key in ("order_id", "content_name", "content_type", "content_category"):
            with self.subTest(key=key):
                self.assertLeftOut(f"custom_data.{key}", custom_data={key: ["a", "b"]})

    def test_a_purchase_needs_a_value_and_a_currency(self):
        _event, problems = self.read(event_name="Purchase")
        fields = [problem.field for problem in problems]
        self.assertEqual(fields, ["custom_data.value", "custom_data.currency"])
        self.assertProblem(
            "custom_data.currency", event_name="Purchase", custom_data={"value": 0}
        )

    def test_a_value_needs_a_currency(self):
        self.assertProblem("custom_data.currency", custom_data={"value": 1})

    def test_one_problem_is_said_once(self):
        for custom_data, field in (
            ([], "custom_data"),
            ({"value": "x", "currency": "EUR"}, "custom_data.value"),
            ({"value": 1, "currency": "?"}, "custom_data.currency"),
        ):
            with self.subTest(custom_data=custom_data):
                self.assertProblem(
                    field, event_name="Purchase", custom_data=custom_data
                )


class TestReadFurtherParameters(EventCase):
    def test_they_are_read_as_meta_wants_them(self):
        extinfo = ["i2", "", "", "", "17.1", *[""] * 11]
        for field, value, expected in (
            ("customer_segmentation", " New_Customer_To_Business", None),
            ("messaging_channel", "WhatsApp", "whatsapp"),
            ("messaging_channel", False, None),
            ("app_data", {}, None),
            (
                "app_data",
                {"advertiser_tracking_enabled": True, "extinfo": tuple(extinfo)},
                {"advertiser_tracking_enabled": True, "extinfo": extinfo},
            ),
            (
                "original_event_data",
                {
                    "event_name": "Purchase",
                    "event_time": datetime(2026, 11, 23, tzinfo=timezone.utc),
                    "event_id": 7,
                    "order_id": 42,
                },
                {
                    "event_name": "Purchase",
                    "event_time": 1795392000,
                    "event_id": "7",
                    "order_id": "42",
                },
            ),
            (
                "attribution_data",
                {"ad_id": "1", "attribution_share": Decimal("0.5"), "scope": None},
                {"ad_id": "1", "attribution_share": 0.5},
            ),
        ):
            with self.subTest(field=field, value=value):
                if expected is None and value and field == "customer_segmentation":
                    expected = "new_customer_to_business"
                self.assertRead(expected, field, **{field: value})

    def test_they_are_sent(self):
        event, _problems = self.read(
            action_source="business_messaging",
            messaging_channel="messenger",
            customer_segmentation="customer_in_loyalty_program",
        )
        sent = event.to_dict()
        self.assertEqual(sent["messaging_channel"], "messenger")
        self.assertEqual(sent["customer_segmentation"], "customer_in_loyalty_program")
        self.assertNotIn("app_data", sent)

    def test_they_are_left_out_where_they_cannot_be_read(self):
        for field, value, part in (
            ("customer_segmentation", "new", ""),
            ("customer_segmentation", 1, ""),
            ("messaging_channel", "telegram", ""),
            ("app_data", "x", ""),
            ("app_data", {"extinfo": object()}, ".extinfo"),
            ("app_data", {"": 1}, ".?"),
            ("original_event_data", [1], ""),
            ("original_event_data", {"event_time": "soon"}, ".event_time"),
            ("attribution_data", {"ad_id": b"1"}, ".ad_id"),
        ):
            with self.subTest(field=field, value=value):
                event = self.assertLeftOut(field + part, **{field: value})
                self.assertIsNone(getattr(event, field))

    def test_the_sources_that_need_one_are_weak_without(self):
        for source, field, value in (
            ("app", "app_data", {"extinfo": ["a2"]}),
            ("business_messaging", "messaging_channel", "whatsapp"),
        ):
            event, _problems = self.read(action_source=source)
            self.assertEqual([found.field for found in weaknesses(event)], [field])
            event, _problems = self.read(action_source=source, **{field: value})
            self.assertEqual(weaknesses(event), [])


class TestPhoneNumbers(BaseCase):
    def test_international_numbers_are_seen_however_they_are_written(self):
        for text in (
            "+4930901820",
            "+49 30 901820",
            "+49 (0)30 901820",
            "(+49) 30/901820",
            "+49-30-90.18.20",
            "+49/30/901820",
            "+49–309–018–20 or 42",
            "+49\u00a030\u202f901820",
            "\uff0b49 30 901820",
            "+1 (650) 555-1212",
            "+1 650 555 1212 2026-11-23",
            "+44.20.7946.0958",
            "tel:+33612345678",
            "Jane, +43 1 5123456, Vienna",
            "2+2=4: +49 30 901820",
            "https://wa.example/?to=%2b4930901820",
        ):
            with self.subTest(text=text):
                self.assertTrue(has_phone(text))

    def test_what_is_none_is_not_taken_for_one(self):
        for text in (
            "",
            "+",
            "+20 %",
            "+49",
            "+49309018201234567890",
            "+100 000.00 EUR",
            "+1.234.567,89",
            "+10 000 000",
            "+50 000 000",
            "+1 000 000 000",
            "+2026-11-23",
            "2026-11-23T12:00:00+02:00",
            "UTC+2 2026112312",
            "16GB+512GB+1TB",
            "C++ 20",
            "Desk +2 chairs 12345678",
            "4006381333931",
            "030 901820",
            "0049 30 901820",
        ):
            with self.subTest(text=text):
                self.assertFalse(has_phone(text))

    def test_the_numbers_of_every_country_are_seen(self):
        for region in phonenumbers.SUPPORTED_REGIONS:
            number = phonenumbers.example_number(region)
            for form in (
                phonenumbers.PhoneNumberFormat.E164,
                phonenumbers.PhoneNumberFormat.INTERNATIONAL,
            ):
                text = phonenumbers.format_number(number, form)
                with self.subTest(region=region, text=text):
                    # A shorter one could be anything.
                    enough = sum(map(str.isdigit, text)) >= 8
                    self.assertIs(has_phone(f"Jane {text}, 3 times"), enough)

    def test_a_plus_inside_a_code_begins_no_number(self):
        for text in (
            "a+4930901820",
            "SET+49-30-901820",
            "1+4930901820",
            "é+4930901820",
        ):
            with self.subTest(text=text):
                self.assertFalse(has_phone(text))
                self.assertTrue(has_phone(f"{text} +4930901820"))


class TestWeaknesses(EventCase):
    STRONG = {
        "event_name": "Purchase",
        "action_source": "website",
        "event_source_url": "https://shop.example/shop/confirmation",
        "user_data": {"em": "jane@example.com", "client_user_agent": "Mozilla/5.0"},
        "custom_data": {
            "value": 25.0,
            "currency": "EUR",
            "contents": [
                {"id": 1, "quantity": 2, "item_price": 10},
                {"id": 2, "quantity": 1, "item_price": 5.0},
            ],
        },
    }

    def assertWeak(self, fields, **arguments):
        """Check in which ``fields`` an event that Meta takes is weak; return why."""
        event, problems = read_event(self.STRONG | arguments, now=NOW)
        self.assertEqual(problems, [])
        found = weaknesses(event)
        self.assertEqual([weakness.field for weakness in found], fields)
        self.assertStorable(event, found)
        return [weakness.reason for weakness in found]

    def assertWeakValue(self, fields, value, *contents):
        custom_data = {"value": value, "currency": "EUR", "contents": contents}
        return self.assertWeak(fields, custom_data=custom_data)

    def test_an_event_that_tells_all_has_none(self):
        self.assertWeak([])
        self.assertWeak([], event_name="Lead", action_source="email", custom_data=None)

    def test_an_event_of_a_website_names_its_page(self):
        self.assertWeak(["event_source_url"], event_source_url=None)
        self.assertWeak([], event_source_url=None, action_source="chat")

    def test_an_event_of_a_till_names_its_order(self):
        for custom_data in (None, {"value": 5, "currency": "EUR"}, {"order_id": ""}):
            self.assertWeak(
                ["custom_data.order_id"],
                event_name="Lead",
                action_source="physical_store",
                custom_data=custom_data,
            )
        self.assertWeak(
            [],
            event_name="Lead",
            action_source="physical_store",
            custom_data={"order_id": "S00042"},
        )
        self.assertWeak([], event_name="Lead", custom_data=None)

    def test_an_event_of_a_website_names_its_browser(self):
        user_data = {"em": "jane@example.com"}
        self.assertWeak(["user_data.client_user_agent"], user_data=user_data)
        self.assertWeak([], user_data=user_data, action_source="chat")

    def test_an_event_can_be_matched(self):
        weak = {
            "client_ip_address": "8.8.8.8",
            "client_user_agent": "Mozilla/5.0",
            "fn": "Jane",
            "ln": "Doe",
        }
        self.assertWeak(["user_data"], user_data=weak)
        for key, value in {
            "em": "jane@example.com",
            "ph": "+49 30 901820",
            "external_id": 42,
            "fbp": "fb.1.1596403881668.1116446470",
            "fbc": "fb.1.1596403881668.AbC",
            "lead_id": 1234567890123456,
        }.items():
            with self.subTest(key=key):
                self.assertWeak([], user_data=weak | {key: value})

    def test_what_is_refused_anyway_is_not_called_weak_as_well(self):
        event, problems = self.read(user_data={"ct": "Berlin"})
        self.assertEqual([problem.field for problem in problems], ["user_data"])
        self.assertEqual(weaknesses(event), [])

    def test_people_are_located_by_an_address(self):
        field = "data_processing_options_country"
        limited = {"data_processing_options": ["LDU"]}
        self.assertWeak([field], **limited)
        place = {field: 1, "data_processing_options_state": 1000}
        self.assertWeak([], **limited, **place)
        user_data = self.STRONG["user_data"] | {"client_ip_address": "8.8.8.8"}
        self.assertWeak([], **limited, user_data=user_data)
        self.assertWeak([], data_processing_options=[])

    def test_events_about_products_name_them(self):
        value = {"value": 25, "currency": "EUR"}
        for event_name in ("Purchase", "AddToCart", "ViewContent"):
            with self.subTest(event_name=event_name):
                named = {"event_name": event_name}
                fields = ["custom_data.contents"]
                self.assertWeak(fields, **named, custom_data=value)
                self.assertWeak([], **named, custom_data=value | {"content_ids": ["1"]})
                contents = {"contents": [{"id": 1}]}
                self.assertWeak([], **named, custom_data=value | contents)

    def test_contents_cost_what_the_event_is_worth(self):
        (reason,) = self.assertWeakValue(
            ["custom_data.value"],
            99.999,
            {"id": 1, "quantity": 2, "item_price": 45.0},
            {"id": 2, "item_price": 4.5},
        )
        self.assertIn("100.00", reason)
        self.assertIn("94.50", reason)

    def test_prices_are_rounded(self):
        third = {"id": 1, "quantity": 3, "item_price": 3.33}
        self.assertWeakValue([], 10.0, third)
        self.assertWeakValue(["custom_data.value"], 10.01, third)
        self.assertWeakValue([], 0.3, *({"id": i, "item_price": 0.1} for i in "abc"))
        large = {"id": 1, "quantity": 1, "item_price": 123456789.01}
        self.assertWeakValue([], 123456789.01, large)
        self.assertWeakValue([], 3.33, {"id": 1, "quantity": 0.1, "item_price": 33.33})

    def test_contents_without_a_price_are_not_added_up(self):
        self.assertWeakValue([], 10.0, {"id": 1, "item_price": 5}, {"id": 2})
        self.assertWeakValue([], 10.0, {"id": 1})

    def test_nothing_raises_whatever_an_event_holds(self):
        for parameter in ServerEvent.__slots__:
            for value in GARBAGE:
                with self.subTest(parameter=parameter, kind=type(value)):
                    event, _problems = read_event(
                        self.STRONG | {parameter: value}, now=NOW
                    )
                    self.assertStorable(event, weaknesses(event))
        for key in ("value", "contents", "content_ids"):
            for value in (*GARBAGE, 1e308, [{"id": 1, "item_price": 1e308}] * 2):
                with self.subTest(key=key, kind=type(value)):
                    custom_data = self.STRONG["custom_data"] | {key: value}
                    event, _problems = read_event(
                        self.STRONG | {"custom_data": custom_data}, now=NOW
                    )
                    self.assertStorable(event, weaknesses(event))


class TestGarbage(EventCase):
    def test_nothing_raises_whatever_an_argument_holds(self):
        for parameter in (*ServerEvent.__slots__, "other"):
            for value in GARBAGE:
                with self.subTest(parameter=parameter, kind=type(value)):
                    self.assertStorable(*self.read(**{parameter: value}))

    def test_nothing_raises_whatever_a_key_holds(self):
        keys = "em db country client_ip_address fbc lead_id value contents x".split()
        for parameter in ("user_data", "custom_data"):
            for key in keys:
                for value in GARBAGE:
                    with self.subTest(parameter=parameter, key=key, kind=type(value)):
                        self.assertStorable(*self.read(**{parameter: {key: value}}))

    def test_nothing_raises_whatever_the_arguments_are(self):
        for arguments in GARBAGE:
            with self.subTest(kind=type(arguments)):
                event, problems = read_event(arguments, now=NOW)
                self.assertTrue(problems)
                self.assertStorable(event, problems)

    def test_nothing_raises_whatever_the_country_is(self):
        arguments = {
            "event_name": "Lead",
            "user_data": {"em": JANE, "ph": "030 901820"},
        }
        for country in (None, False, "", "XX", "Narnia", 1, b"DE"):
            with self.subTest(kind=type(country)):
                event, problems = read_event(
                    arguments, now=NOW, default_country=country
                )
                self.assertEqual(problems, [])
                self.assertEqual(event.user_data, {"em": JANE})

    def test_the_list_of_problems_has_an_end(self):
        user_data = {"em": JANE} | dict.fromkeys(map(str, range(10_000)))
        _event, problems = self.read(user_data=user_data)
        self.assertEqual(len(problems.left_out), MAX_PROBLEMS)
        arguments = dict.fromkeys(map("x{}".format, range(10_000)))
        _event, problems = self.read(**arguments)
        self.assertEqual(len(problems), MAX_PROBLEMS)
