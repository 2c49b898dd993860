import doctest
import json

from ..capi import parsing as parsing_module
from ..capi import quality as quality_module
from ..capi.answer import Outcome
from ..capi.const import MAX_NAME_LENGTH
from ..capi.quality import (
    FIELDS,
    KEYS,
    MAX_EVENTS,
    MAX_TEXT,
    Diagnostic,
    EventQuality,
    KeyFeedback,
    Problem,
    UnknownShape,
    read_quality,
    read_quality_answer,
)
from .test_capi_client import PIXEL, TOKEN, ClientCase, http

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

# An answer as Meta documents it.
PURCHASE = {
    "event_name": "Purchase",
    "event_match_quality": {
        "composite_score": 6.2,
        "match_key_feedback": [
            {
                "identifier": "email",
                "coverage": {"percentage": 100},
                "potential_aly_acr_increase": {"percentage": 58.96, "description": "…"},
            },
            {"identifier": "ip_address", "coverage": {"percentage": 99.9}},
        ],
        "diagnostics": [
            {
                "name": "Missing fields",
                "description": "Some events lack fields.",
                "solution": "Send more fields.",
                "percentage": 59.5,
                "affected_event_count": 18930,
                "total_event_count": 31830,
            }
        ],
    },
    "event_coverage": {
        "percentage": 34.1,
        "goal_percentage": 75,
        "description": "…",
        "potential_aly_acr_increase": {"percentage": 35.8, "description": "…"},
    },
    "dedupe_key_feedback": [
        {
            "dedupe_key": "fbp",
            "browser_events_with_dedupe_key": {"percentage": 1},
            "server_events_with_dedupe_key": {"percentage": 2},
            "overall_browser_coverage_from_dedupe_key": {"percentage": 3},
        },
        {
            "dedupe_key": "event_id",
            "browser_events_with_dedupe_key": {"percentage": 100, "description": "…"},
            "server_events_with_dedupe_key": {"percentage": 98.5, "description": "…"},
            "overall_browser_coverage_from_dedupe_key": {"percentage": 14.8},
        },
    ],
    "data_freshness": {"upload_frequency": "real_time", "description": "…"},
    "acr": {"percentage": 37.9, "description": "…"},
    "event_potential_aly_acr_increase": {"percentage": 32.9, "description": "…"},
}
LEAD = {"event_name": "Lead"}


def body(*rows):
    return json.dumps({"web": list(rows)})


def read_one(row):
    [event], oddities = read_quality(body(row))
    return event, oddities


def error(code, subcode=None, message="(#0) No", **more):
    fields = {"message": message, "type": "OAuthException", "code": code, **more}
    if subcode is not None:
        fields["error_subcode"] = subcode
    return json.dumps({"error": fields})


class TestReading(BaseCase):
    def test_the_doctests_hold(self):
        for module in (quality_module, parsing_module):
            with self.subTest(module.__name__):
                failed, tried = doctest.testmod(module)
                self.assertGreater(tried, 0)
                self.assertEqual(failed, 0)

    def test_an_answer_as_documented_is_read_whole(self):
        event, oddities = read_one(PURCHASE)
        self.assertEqual(
            event,
            EventQuality(
                "Purchase",
                score=6.2,
                keys=(
                    KeyFeedback("em", 100.0, 58.96),
                    KeyFeedback("client_ip_address", 99.9, None),
                ),
                diagnostics=(
                    Diagnostic(
                        "Missing fields",
                        "Some events lack fields.",
                        "Send more fields.",
                        59.5,
                        18930,
                        31830,
                    ),
                ),
                coverage=34.1,
                coverage_goal=75.0,
                browser_with_id=100.0,
                server_with_id=98.5,
                dedupe_rate=14.8,
                freshness="real_time",
                acr=37.9,
            ),
        )
        self.assertEqual(oddities, ())

    def test_a_part_that_is_missing_is_not_told_and_not_zero(self):
        event, oddities = read_one(LEAD)
        self.assertEqual(event, EventQuality("Lead"))
        self.assertIsNone(event.score)
        self.assertEqual(oddities, ())
        for part in PURCHASE.keys() - {"event_name"}:
            for absent in ({}, {part: None}):
                with self.subTest(part, absent=absent):
                    row = {k: v for k, v in PURCHASE.items() if k != part} | absent
                    _event, oddities = read_one(row)
                    self.assertEqual(oddities, ())

    def test_zero_is_zero(self):
        event, _oddities = read_one({**LEAD, "acr": {"percentage": 0}})
        self.assertEqual(event.acr, 0.0)

    def test_a_percentage_may_be_a_text(self):
        for value, figure in (
            ("34.1", 34.1),
            (" 34.1 % ", 34.1),
            ("34.1%", 34.1),
            (148.2, 148.2),
            ("", None),
            (None, None),
        ):
            with self.subTest(value=value):
                event, oddities = read_one({**LEAD, "acr": {"percentage": value}})
                self.assertEqual((event.acr, oddities), (figure, ()))

    def test_what_is_no_figure_is_not_told_and_named(self):
        for value in ("many", "34,1", True, [], {}, "nan", "inf"):
            with self.subTest(value=value):
                event, oddities = read_one({**LEAD, "acr": {"percentage": value}})
                self.assertIsNone(event.acr)
                self.assertEqual(oddities, ("web[0].acr.percentage",))

    def test_an_odd_part_leaves_the_others_as_they_are(self):
        parts = PURCHASE.keys() - {"event_name"}
        whole, _oddities = read_one(PURCHASE)
        for part in parts - {"event_potential_aly_acr_increase"}:
            for odd in ("text", 7, True):
                with self.subTest(part, odd=odd):
                    event, oddities = read_one({**PURCHASE, part: odd})
                    self.assertEqual(oddities, (f"web[0].{part}",))
                    changed = [
                        name
                        for name in EventQuality.__slots__
                        if getattr(event, name) != getattr(whole, name)
                    ]
                    self.assertTrue(0 < len(changed) <= 3, changed)

    def test_a_row_without_a_name_does_not_take_the_others_along(self):
        events, oddities = read_quality(body({"acr": {"percentage": 1}}, LEAD, "x"))
        self.assertEqual([event.event_name for event in events], ["Lead"])
        self.assertIn("web[0].event_name", oddities)
        self.assertIn("web[2]", oddities)

    def test_what_is_no_list_of_events_is_an_unknown_shape(self):
        for text in (
            "",
            "[]",
            "null",
            "<html>",
            "{}",
            '{"web": null}',
            '{"web": {}}',
            '{"data": []}',
            '{"web": [1, 2]}',
            '{"web": [{"event_name": ""}]}',
        ):
            with self.subTest(text), self.assertRaises(UnknownShape):
                read_quality(text)

    def test_no_events_are_no_fault(self):
        self.assertEqual(read_quality('{"web": []}'), ((), ()))

    def test_texts_can_be_stored_and_end(self):
        fault = {"name": "a\0b", "description": "\ud800" + "x" * 9999}
        row = {**LEAD, "event_match_quality": {"diagnostics": [fault]}}
        event, _oddities = read_one(row)
        [found] = event.diagnostics
        self.assertEqual(found.name, "ab")
        self.assertEqual(len(found.description), MAX_TEXT)
        found.description.encode()

    def test_a_long_name_is_cut(self):
        feedback = [{"identifier": "k" * 999}]
        row = {"event_name": "é" * 999}
        row["event_match_quality"] = {"match_key_feedback": feedback}
        event, oddities = read_one(row)
        self.assertEqual(event.event_name, "é" * MAX_NAME_LENGTH)
        self.assertEqual(event.keys[0].key, "k" * MAX_NAME_LENGTH)
        self.assertEqual(oddities, ())

    def test_the_number_of_events_ends(self):
        rows = [{"event_name": f"E{number}"} for number in range(MAX_EVENTS + 9)]
        self.assertEqual(len(read_quality(body(*rows))[0]), MAX_EVENTS)


class TestKeys(BaseCase):
    def read(self, *identifiers):
        feedback = [{"identifier": name} for name in identifiers]
        row = {**LEAD, "event_match_quality": {"match_key_feedback": feedback}}
        return [key.key for key in read_one(row)[0].keys]

    def test_each_name_of_metas_is_read_as_the_key_that_it_is_of(self):
        for theirs, ours in KEYS.items():
            with self.subTest(theirs):
                self.assertEqual(self.read(theirs), [ours])
                self.assertEqual(self.read(ours), [ours])

    def test_a_key_that_is_not_known_keeps_the_name_it_has_at_meta(self):
        self.assertEqual(self.read("shoe_size"), ["shoe_size"])

    def test_two_names_of_one_key_are_one(self):
        self.assertEqual(self.read("zip", "zip_code", "EMAIL"), ["zp", "em"])


class TestAnswers(BaseCase):
    def test_each_refusal_says_what_a_person_can_do(self):
        for text, status, problem in (
            (error(200), 403, Problem.PERMISSION),
            (error(294), 403, Problem.PERMISSION),
            (error(10), 403, Problem.PERMISSION),
            (error(3), 400, Problem.PERMISSION),
            (error(100, 33), 400, Problem.PERMISSION),
            (error(100, message="(#100) Missing Permission"), 400, Problem.PERMISSION),
            (error(190), 401, Problem.TOKEN),
            (error(190, 463), 401, Problem.TOKEN),
            (error(102), 401, Problem.TOKEN),
            (error(100, message="Invalid appsecret_proof"), 400, Problem.TOKEN),
            (error(803), 404, Problem.SETTING),
            (error(2500), 400, Problem.SETTING),
            (error(2635), 400, Problem.SETTING),
            (error(4), 400, Problem.LATER),
            (error(80004), 400, Problem.LATER),
            (error(2), 500, Problem.LATER),
            ("<html>", 502, Problem.LATER),
            ('{"web": [', 200, Problem.LATER),
            ("", 429, Problem.LATER),
            (
                error(100, message="(#100) Tried accessing nonexisting field (acr)"),
                400,
                Problem.SHAPE,
            ),
            ("{}", 200, Problem.SHAPE),
            (error(987654), 400, Problem.UNKNOWN),
            (error(368), 400, Problem.UNKNOWN),
        ):
            with self.subTest(text, status=status):
                answer = read_quality_answer(status, {}, text)
                self.assertIs(answer.problem, problem)
                self.assertTrue(answer.answer.error_message)
                self.assertEqual(answer.events, ())

    def test_a_success_has_no_problem(self):
        answer = read_quality_answer(200, {}, body(PURCHASE, LEAD))
        self.assertIsNone(answer.problem)
        self.assertIs(answer.answer.outcome, Outcome.ACCEPTED)
        self.assertEqual(len(answer.events), 2)

    def test_the_token_is_in_no_part_of_it(self):
        fault = {"name": f"Token {TOKEN}"}
        row = {**LEAD, "event_match_quality": {"diagnostics": [fault]}}
        for text in (body(row), error(200, message=TOKEN)):
            with self.subTest(text):
                answer = read_quality_answer(200, {}, text, token=TOKEN)
                self.assertNotIn(TOKEN, repr(answer))


class TestCall(ClientCase):
    def test_it_is_asked_as_documented_with_the_token_in_the_header_only(self):
        server, client = self.serve(http(200, body(PURCHASE).encode()))
        answer = client.get_quality(PIXEL, TOKEN)
        self.assertEqual([event.score for event in answer.events], [6.2])
        [(line, headers, sent, _connection)] = server.requests
        path = line.split()[1]
        self.assertTrue(line.startswith("GET /v26.0/dataset_quality?"))
        self.assertIn(f"dataset_id={PIXEL}&", path)
        self.assertIn("fields=web%7Bevent_name%2C", path)
        self.assertEqual(headers["authorization"], f"Bearer {TOKEN}")
        self.assertNotIn("EAA", path)
        self.assertEqual(sent, b"")

    def test_the_fields_are_balanced_and_name_what_is_read(self):
        self.assertEqual(FIELDS.count("{"), FIELDS.count("}"))
        for name in PURCHASE.keys() - {"event_potential_aly_acr_increase"}:
            self.assertIn(name, FIELDS)

    def test_an_answer_that_is_longer_than_one_about_events_is_read_whole(self):
        rows = [{**PURCHASE, "event_name": f"E{number}"} for number in range(200)]
        text = body(*rows).encode()
        self.assertGreater(len(text), 64 * 1024)
        _server, client = self.serve(http(200, text))
        self.assertEqual(len(client.get_quality(PIXEL, TOKEN).events), 200)

    def test_no_answer_is_a_problem_that_passes(self):
        _server, client = self.serve(None)
        answer = client.get_quality(PIXEL, TOKEN)
        self.assertIs(answer.problem, Problem.LATER)
        self.assertFalse(answer.events)

    def test_without_a_token_nothing_is_asked(self):
        server, client = self.serve()
        self.assertIs(client.get_quality(PIXEL, "").problem, Problem.TOKEN)
        self.assertIs(client.get_quality("x", TOKEN).problem, Problem.SETTING)
        self.assertEqual(server.requests, [])
