from __future__ import annotations

import doctest
import json
import socket
import ssl
import time
from email.utils import formatdate

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    InvalidHeader,
    LocationParseError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
)

from ..capi import graph_errors, parsing
from ..capi.answer import MAX_KEPT_BODY, MAX_MESSAGE, no_answer, read_answer, read_pixel
from ..capi.graph_errors import Outcome, classify
from ..capi.rate_limits import MAX_WAIT, PAUSE_AT_LIMIT, PAUSE_NEAR_LIMIT

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

TOKEN = "EAAtoken|with-a-bar"


def error_body(code, subcode=None, **fields):
    """Return the body of a Graph error."""
    error = {"message": "(#x) Sorry", "type": "OAuthException", "code": code, **fields}
    if subcode is not None:
        error["error_subcode"] = subcode
    return json.dumps({"error": error})


def read(body="", status=400, headers=None, sent=2, **kw):
    return read_answer(status, headers or {}, body, sent, **kw)


class TestClassification(BaseCase):
    # Every row of what is known: outcome, code, subcodes seen with it.
    ROWS = (
        ("transient", -1, (None, 7)),
        ("transient", -3, (None,)),
        ("transient", 1, (None, 99)),
        ("transient", 2, (None, 1504044)),
        ("stopped", 3, (None,)),
        ("throttled", 4, (None, 1504022, 1504039)),
        ("transient", 5, (None,)),
        ("stopped", 10, (None,)),
        ("throttled", 17, (None, 2446079)),
        ("throttled", 32, (None,)),
        ("stopped", 33, (None,)),
        ("stopped", 100, (33,)),
        ("ambiguous", 100, (None, 0)),
        ("early", 100, (2804004,)),
        ("early", 2804004, (None,)),
        ("refused", 100, (2804001, 2804003, 2804007, 2804008, 2804009)),
        ("refused", 100, (2804010, 2804016, 2804017, 2804019, 2804023, 2804030)),
        ("refused", 100, (2804036, 2804043, 2804048, 2804050, 2804063, 2804066)),
        ("refused", 100, (2804069, 2804079, 2804087, 2804116, 2804117, 2804118)),
        ("refused", 100, (2804132, 2804999, 1, 1487534)),
        ("stopped", 102, (None, 463)),
        ("stopped", 104, (None,)),
        ("refused", 105, (None,)),
        ("stopped", 190, (None, 452, 458, 459, 460, 463, 464, 465, 467, 492)),
        ("stopped", 200, (None,)),
        ("stopped", 294, (None,)),
        ("stopped", 299, (None,)),
        ("throttled", 341, (None,)),
        ("stopped", 368, (None,)),
        ("refused", 506, (None,)),
        ("throttled", 613, (None, 1996, 1487742, 5044001)),
        ("stopped", 803, (None,)),
        ("stopped", 2500, (None,)),
        ("stopped", 2635, (None,)),
        ("transient", 5000, (None,)),
        ("transient", 21009, (None,)),
        *(("throttled", 80000 + n, (None,)) for n in (0, 1, 2, 3, 4, 5, 6, 8, 9, 14)),
        ("refused", 1609005, (None,)),
        ("refused", 2804003, (None,)),
        ("stopped", 0, (None,)),
        ("stopped", 12, (None,)),
        ("stopped", 101, (None,)),
        ("stopped", 459, (None,)),
        ("stopped", 463, (None,)),
        ("stopped", 467, (None,)),
        ("unknown", 199, (None,)),
        ("unknown", 300, (None,)),
        ("unknown", 987654, (None, 33)),
    )

    def test_every_known_code_has_its_outcome(self):
        for outcome, code, subcodes in self.ROWS:
            for subcode in subcodes:
                with self.subTest(code=code, subcode=subcode):
                    answer = read(error_body(code, subcode))
                    self.assertEqual(answer.outcome.value, outcome)
                    self.assertEqual(answer.error_code, code)
                    self.assertEqual(answer.error_subcode, subcode)
                    self.assertFalse(answer.arrived)

    def test_http_status_changes_nothing_where_there_is_a_code(self):
        for status in (200, 302, 400, 401, 403, 413, 429, 500, 503):
            with self.subTest(status=status):
                answer = read(error_body(190, 460), status)
                self.assertIs(answer.outcome, Outcome.STOPPED)
                self.assertEqual(answer.http_status, status)
                self.assertFalse(answer.arrived)

    def test_meta_says_itself_that_a_retry_may_succeed(self):
        transient = {"is_transient": True}
        for code, subcode, outcome in (
            (190, 463, "transient"),
            (10, None, "transient"),
            (100, None, "transient"),
            (100, 33, "transient"),
            (987654, None, "transient"),
            (2, None, "transient"),
            # limits have waits of their own
            (4, None, "throttled"),
            (80004, None, "throttled"),
            # the payload does not change
            (100, 2804050, "refused"),
            (100, 2804004, "early"),
            (2804003, None, "refused"),
        ):
            with self.subTest(code=code, subcode=subcode):
                body = error_body(code, subcode, **transient)
                self.assertEqual(read(body, 400).outcome.value, outcome)
                body = error_body(code, subcode, is_transient=False)
                stays = classify(code, subcode)[0]
                self.assertIs(read(body, 400).outcome, stays)

    def test_an_app_that_wants_its_calls_signed_is_told_from_a_bad_parameter(self):
        for message in (
            "API calls from the server require an appsecret_proof argument",
            "Invalid appsecret_proof provided in the API argument",
        ):
            answer = read(error_body(100, message=message))
            with self.subTest(message=message):
                self.assertIs(answer.outcome, Outcome.STOPPED)
                self.assertEqual(answer.cause, "signature")
        answer = read(error_body(100, 2804050, message="appsecret_proof"))
        self.assertIs(answer.outcome, Outcome.REFUSED)

    def test_an_error_of_who_we_are_without_a_code_stops_the_pixel(self):
        oauth = '{"error": {"type": "OAuthException", "message": "No"}}'
        for status, body, outcome, cause in (
            (400, oauth, "stopped", "token"),
            (200, oauth, "stopped", "token"),
            (401, "", "stopped", "token"),
            (401, "{}", "stopped", "token"),
            (403, "", "stopped", "permission"),
            (403, "{}", "stopped", "permission"),
            (500, oauth, "transient", "meta_down"),
            (401, "<html>Proxy</html>", "transient", "meta_down"),
            (403, '{"error": {"co', "transient", "meta_down"),
        ):
            answer = read(body, status)
            with self.subTest(status=status, body=body):
                found = answer.outcome.value, answer.cause
                self.assertEqual(found, (outcome, cause))

    def test_the_date_of_the_answer_is_kept(self):
        headers = {"DATE": "Sat, 28 Nov 2026 00:00:00 GMT"}
        self.assertEqual(read("{}", 200, headers=headers).server_time, 1795824000)
        for value in ("yesterday", "", None, 7):
            answer = read("{}", 200, headers={"Date": value})
            self.assertIsNone(answer.server_time)

    def test_neither_type_nor_text_nor_is_transient_decides(self):
        body = error_body(
            100,
            2804003,
            type="TransientException",
            message="rate limit, invalid token",
            is_transient=True,
        )
        self.assertIs(read(body, 500).outcome, Outcome.REFUSED)

    def test_an_answer_without_a_code_is_read_by_its_status(self):
        html = "<html><body>Sorry</body></html>"
        rows = (
            # status, body, outcome, arrived
            (200, html, "transient", True),
            (200, "", "transient", True),
            (204, "", "transient", True),
            (200, '{"events_received": 2, "mess', "transient", True),
            (200, "Service Unavailable", "transient", True),
            (200, "[" * 50_000, "transient", True),
            (200, "[]", "transient", True),
            (200, "null", "transient", True),
            (200, "{}", "transient", True),
            (200, '{"error": {"message": "?"}, "events_received": 2}', "unknown", True),
            (301, html, "unknown", False),
            (302, "", "unknown", False),
            (400, "{}", "unknown", False),
            (400, '{"error": {"message": "?"}}', "unknown", False),
            (400, '{"error": "no"}', "unknown", False),
            (400, '{"error": null}', "unknown", False),
            (400, '{"error": {"code": true}}', "unknown", False),
            (400, '{"error": {"code": 100, "mess', "transient", False),
            (403, html, "transient", False),
            (404, "[]", "unknown", False),
            (408, "", "transient", False),
            (413, html, "refused", False),
            (413, "{}", "refused", False),
            (429, "", "throttled", False),
            (429, html, "throttled", False),
            (500, "{}", "transient", True),
            (500, '{"error": {"code": "?"}}', "transient", True),
            (502, html, "transient", True),
            (503, "", "transient", True),
        )
        for status, body, outcome, arrived in rows:
            with self.subTest(status=status, body=body[:40]):
                answer = read(body, status)
                self.assertEqual(answer.outcome.value, outcome)
                self.assertEqual(answer.arrived, arrived)
                self.assertTrue(answer.error_message)

    def test_numbers_may_come_as_text(self):
        answer = read(error_body("100", "2804003"))
        self.assertIs(answer.outcome, Outcome.REFUSED)
        self.assertEqual((answer.error_code, answer.error_subcode), (100, 2804003))

    def test_numbers_too_large_for_a_database_are_left_out(self):
        answer = read(error_body(10**400, 10**12))
        self.assertIs(answer.outcome, Outcome.UNKNOWN)
        self.assertIsNone(answer.error_code)
        self.assertIsNone(answer.error_subcode)

    def test_examples_in_docstrings_hold(self):
        for module in (graph_errors, parsing):
            with self.subTest(module.__name__):
                failed, tried = doctest.testmod(module)
                self.assertTrue(tried)
                self.assertFalse(failed)


class TestSuccess(BaseCase):
    def test_all_events_counted_is_accepted(self):
        body = '{"events_received": 2, "messages": [], "fbtrace_id": "A1b"}'
        answer = read(body, 200, duration_ms=12)
        self.assertIs(answer.outcome, Outcome.ACCEPTED)
        self.assertEqual(answer.events_received, 2)
        self.assertEqual(answer.fbtrace_id, "A1b")
        self.assertEqual(answer.body, body)
        self.assertEqual(answer.duration_ms, 12)
        self.assertIsNone(answer.error_message)
        self.assertFalse(answer.arrived)

    def test_messages_may_be_missing_or_full(self):
        for extra in ("", ', "messages": ["watch out"]', ', "error": null'):
            with self.subTest(extra=extra):
                answer = read(f'{{"events_received": 2{extra}}}', 200)
                self.assertIs(answer.outcome, Outcome.ACCEPTED)

    def test_any_other_count_may_have_arrived(self):
        for count in ("1", "0", "3", "true", "null", '"two"', "[]", "NaN", "1e999"):
            with self.subTest(count=count):
                answer = read(f'{{"events_received": {count}}}', 200)
                self.assertIs(answer.outcome, Outcome.TRANSIENT)
                self.assertTrue(answer.arrived)

    def test_true_is_not_one(self):
        answer = read('{"events_received": true}', 200, sent=1)
        self.assertIs(answer.outcome, Outcome.TRANSIENT)

    def test_a_short_count_says_so(self):
        answer = read('{"events_received": 1}', 200)
        self.assertEqual(answer.events_received, 1)
        self.assertEqual(answer.error_message, "Meta counted 1 of 2 events")

    def test_a_count_with_a_refusing_status_is_no_success(self):
        self.assertIs(read('{"events_received": 2}', 400).outcome, Outcome.UNKNOWN)

    def test_the_pixel_is_accepted_by_its_own_id(self):
        rows = (
            (200, '{"id": "42", "name": "Shop"}', "accepted"),
            (200, '{"id": 42}', "accepted"),
            (200, '{"id": "43"}', "transient"),
            (200, "{}", "transient"),
            (502, "<html>", "transient"),
            (400, error_body(100), "ambiguous"),
            (400, error_body(100, 33), "stopped"),
        )
        for status, body, outcome in rows:
            with self.subTest(status=status, body=body):
                answer = read_pixel(status, {}, body, "42")
                self.assertEqual(answer.outcome.value, outcome)
                self.assertFalse(answer.arrived)


class TestWords(BaseCase):
    def test_title_and_text_for_people_come_first(self):
        answer = read(
            error_body(
                100,
                2804003,
                message="Invalid parameter",
                error_user_title="Event Timestamp Too Old",
                error_user_msg="The timestamp is too far in the past.",
                fbtrace_id="A1b",
            )
        )
        self.assertEqual(
            answer.error_message,
            "Event Timestamp Too Old / The timestamp is too far in the past."
            " / Invalid parameter",
        )
        self.assertEqual(answer.fbtrace_id, "A1b")

    def test_the_same_words_are_not_repeated(self):
        answer = read(error_body(100, message="No", error_user_msg="No"))
        self.assertEqual(answer.error_message, "No")

    def test_blamed_fields_are_named_from_an_object_or_its_text(self):
        data = {"blame_field_specs": [["data[0]", "value"], [["currency"]]]}
        for error_data in (data, json.dumps(data)):
            with self.subTest(type=type(error_data)):
                answer = read(error_body(100, 1, message="No", error_data=error_data))
                self.assertEqual(
                    answer.error_message, "No / Fields: data[0], value, currency"
                )

    def test_odd_error_data_is_survived(self):
        for error_data in ("{", "", "[]", 7, None, [], {"blame_field_specs": 3}):
            with self.subTest(error_data=error_data):
                answer = read(error_body(100, 1, message="No", error_data=error_data))
                self.assertEqual(answer.error_message, "No")

    def test_odd_words_are_survived(self):
        answer = read(error_body(1, message=["?"], error_user_msg=7, fbtrace_id=9))
        self.assertEqual(
            answer.error_message, "Meta answered with error 1 and no words"
        )
        self.assertIsNone(answer.fbtrace_id)

    def test_the_token_is_cut_out_of_every_text(self):
        quoted = f"Malformed access token {TOKEN} EAAtoken%7Cwith-a-bar"
        body = error_body(190, message=quoted, fbtrace_id=TOKEN)
        answer = read(body, 401, token=TOKEN)
        self.assertIs(answer.outcome, Outcome.STOPPED)
        self.assertNotIn("with-a-bar", repr(answer))
        self.assertIn("Malformed access token [access token]", answer.error_message)

    def test_the_token_at_the_end_of_a_long_body_is_cut_out(self):
        body = "x" * (MAX_KEPT_BODY - 5) + TOKEN
        answer = read(body, 502, token=TOKEN)
        self.assertNotIn("EAAto", answer.body)
        self.assertEqual(len(answer.body), MAX_KEPT_BODY)

    def test_what_postgresql_cannot_store_is_left_out(self):
        body = '{"error": {"code": 1, "message": "a\\u0000b\\ud800c"}}'
        answer = read(body + "\0", 500)
        self.assertNotIn("\0", answer.body)
        answer = read(body)
        self.assertEqual(answer.error_message, "ab?c")


class TestLimits(BaseCase):
    THROTTLED = error_body(80004)
    ACCEPTED = '{"events_received": 2}'

    def test_a_warning_of_the_versions_end_is_read(self):
        words = "The call has been auto-upgraded to v27.0"
        for name in ("x-ad-api-version-warning", "X-Ad-Api-Version-Warning"):
            for body, status in ((self.THROTTLED, 400), ("{}", 200), ("", 502)):
                with self.subTest(name, status=status):
                    answer = read(body, status, headers={name: f" {words} "})
                    self.assertEqual(answer.version_warning, words)
        self.assertIsNone(read(self.THROTTLED).version_warning)
        long = read(
            headers={"x-ad-api-version-warning": "tok-en" + "x" * 9999}, token="tok-en"
        )
        self.assertEqual(len(long.version_warning), MAX_MESSAGE)
        self.assertNotIn("tok-en", long.version_warning)

    def test_the_longest_wait_of_all_headers_counts(self):
        use_case = {
            "1001": [
                {"type": "ads_management", "estimated_time_to_regain_access": 3},
                {"type": "custom_audience", "estimated_time_to_regain_access": 19},
            ],
            "1002": [{"type": "pages", "estimated_time_to_regain_access": "5"}],
        }
        account = {"acc_id_util_pct": 100, "reset_time_duration": 600}
        rows = (
            # headers, seconds
            ({"X-Business-Use-Case-Usage": json.dumps(use_case)}, 19 * 60),
            ({"X-Business-Use-Case": json.dumps(use_case)}, 19 * 60),
            ({"x-business-use-case-USAGE": json.dumps(use_case)}, 19 * 60),
            ({"X-Ad-Account-Usage": json.dumps(account)}, 600),
            ({"X-App-Usage": '{"call_count": 100}'}, None),
            ({"Retry-After": "120"}, 120),
            ({"retry-after": "1.5"}, 1.5),
            ({"Retry-After": "120", "x-ad-account-usage": json.dumps(account)}, 600),
            ({"Retry-After": "9999999"}, MAX_WAIT),
            ({}, None),
        )
        for headers, seconds in rows:
            with self.subTest(headers=headers):
                answer = read(self.THROTTLED, headers=headers)
                self.assertIs(answer.outcome, Outcome.THROTTLED)
                self.assertEqual(answer.retry_after, seconds)
                self.assertIsNone(answer.slow_down)

    def test_retry_after_may_be_a_date(self):
        date = formatdate(time.time() + 300, usegmt=True)
        answer = read(status=503, headers={"Retry-After": date})
        self.assertAlmostEqual(answer.retry_after, 300, delta=5)
        past = formatdate(time.time() - 300, usegmt=True)
        self.assertIsNone(read(status=503, headers={"Retry-After": past}).retry_after)

    def test_malformed_headers_are_survived(self):
        values = (
            *("", "soon", "{", "[]", "null", "7", "-5", "NaN", "[" * 50_000),
            *("Infinity", "1e999", "Fri, 99 Foo 2026 99:99:99 GMT", None, 5.5j),
            '{"1": {"estimated_time_to_regain_access": true, "call_count": "many"}}',
            '{"1": [{"estimated_time_to_regain_access": -4, "call_count": NaN}]}',
            '{"1": [{"estimated_time_to_regain_access": null}, 3, [null]]}',
            '{"acc_id_util_pct": [], "reset_time_duration": {}}',
        )
        names = (
            "X-Business-Use-Case-Usage",
            "X-App-Usage",
            "X-Ad-Account-Usage",
            "Retry-After",
        )
        for name in names:
            for value in values:
                if (name, value) == ("Retry-After", "7"):
                    continue  # well-formed
                with self.subTest(name=name, value=str(value)[:60]):
                    answer = read(self.THROTTLED, headers={name: value})
                    self.assertIsNone(answer.retry_after)
                    self.assertIs(answer.outcome, Outcome.THROTTLED)

    def test_success_near_a_limit_slows_down(self):
        rows = (
            # header, value, seconds
            ("X-App-Usage", '{"call_count": 89, "total_time": 3}', None),
            ("X-App-Usage", '{"call_count": 1, "total_time": 90}', PAUSE_NEAR_LIMIT),
            ("x-app-usage", '{"total_cputime": 99.5}', PAUSE_NEAR_LIMIT),
            ("X-App-Usage", '{"call_count": "100"}', PAUSE_AT_LIMIT),
            ("X-Ad-Account-Usage", '{"acc_id_util_pct": 9.67}', None),
            (
                "X-Ad-Account-Usage",
                '{"acc_id_util_pct": 9.67, "reset_time_duration": 3600}',
                None,
            ),
            (
                "X-Ad-Account-Usage",
                '{"acc_id_util_pct": 95, "reset_time_duration": 3600}',
                3600,
            ),
            (
                "X-Business-Use-Case-Usage",
                '{"1": [{"call_count": 5}, {"total_time": 91}]}',
                PAUSE_NEAR_LIMIT,
            ),
            (
                "X-Business-Use-Case-Usage",
                '{"1": [{"call_count": 5, "estimated_time_to_regain_access": 19}]}',
                19 * 60,
            ),
        )
        for name, value, seconds in rows:
            with self.subTest(name=name, value=value):
                answer = read(self.ACCEPTED, 200, {name: value})
                self.assertIs(answer.outcome, Outcome.ACCEPTED)
                self.assertEqual(answer.slow_down, seconds)
                self.assertIsNone(answer.retry_after)


class TestNoAnswer(BaseCase):
    def test_arrived_only_if_the_request_may_have_left(self):
        def connection_error(reason):
            return requests.ConnectionError(MaxRetryError(None, "/x", reason))

        refused = NewConnectionError(None, "refused")
        exceptions = requests.exceptions
        rows = (
            # error, arrived
            (connection_error(refused), False),
            (connection_error(ConnectTimeoutError()), False),
            (requests.ConnectTimeout(), False),
            (exceptions.ProxyError(), False),
            (exceptions.SSLError(ssl.SSLCertVerificationError()), False),
            (exceptions.InvalidURL("https://host/?secret"), False),
            (LocationParseError("https://host/?secret"), False),
            (OSError("no certificate bundle"), False),
            (requests.ReadTimeout(), True),
            (requests.Timeout(), True),
            (requests.ConnectionError(), True),
            (requests.ConnectionError(ProtocolError("reset", OSError(104))), True),
            (exceptions.InvalidHeader("two lengths"), True),
            (InvalidHeader("two lengths"), True),
            (exceptions.ChunkedEncodingError(), True),
            (exceptions.ContentDecodingError(), True),
            (requests.RequestException(socket.gaierror()), True),
        )
        for error, arrived in rows:
            with self.subTest(error=error):
                answer = no_answer(error, duration_ms=7)
                self.assertIs(answer.outcome, Outcome.TRANSIENT)
                self.assertEqual(answer.arrived, arrived)
                self.assertEqual(answer.duration_ms, 7)
                self.assertIsNone(answer.http_status)

    def test_the_sentence_holds_nothing_of_the_error(self):
        for kind in (
            requests.ConnectTimeout,
            requests.ConnectionError,
            requests.ReadTimeout,
            requests.exceptions.SSLError,
            requests.exceptions.InvalidURL,
            requests.exceptions.ProxyError,
        ):
            with self.subTest(kind=kind):
                answer = no_answer(kind(f"https://graph/?access_token={TOKEN}"))
                self.assertRegex(answer.error_message, r"^[A-Z][\w ,':]+$")
                self.assertNotIn(TOKEN, repr(answer))

    def test_a_time_out_says_how_long_it_was(self):
        answer = no_answer(requests.ReadTimeout(), duration_ms=10_004)
        self.assertEqual(answer.error_message, "Meta did not answer within 10 s")
