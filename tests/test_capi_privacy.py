from __future__ import annotations

import doctest

from ..capi import privacy as privacy_module
from ..capi.const import LDU_STATES
from ..capi.event import read_event
from ..capi.privacy import limited_data_use

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

GEOLOCATE = (["LDU"], 0, 0)
CALIFORNIA = (["LDU"], 1, 1000)


class TestLimitedDataUse(BaseCase):
    def assertUse(self, expected, mode, cases, has_address=True):
        for country, state in cases:
            with self.subTest(mode=mode, country=country, state=state):
                found = limited_data_use(mode, country, state, has_address)
                self.assertEqual(found, expected)

    def test_the_examples_in_the_docstrings_hold(self):
        self.assertEqual(doctest.testmod(privacy_module).failed, 0)

    def test_the_states_have_metas_numbers(self):
        numbers = {
            "CA": 1000,
            "CO": 1001,
            "CT": 1002,
            "FL": 1003,
            "OR": 1004,
            "TX": 1005,
            "MT": 1006,
            "DE": 1007,
            "NE": 1008,
            "NH": 1009,
            "NJ": 1010,
            "MN": 1011,
            "MD": 1012,
            "RI": 1013,
        }
        self.assertEqual(len(LDU_STATES), len(numbers))
        for state, number in numbers.items():
            for mode in ("always", "state"):
                self.assertUse((["LDU"], 1, number), mode, [("US", state)])

    def test_off_is_never(self):
        self.assertUse(None, "off", [("US", "CA"), (None, None), ("DE", None)])

    def test_places_are_read_in_every_clear_form(self):
        places = [
            ("us", "ca"),
            (" US ", "California"),
            ("United States", "CA"),
            ("United States of America", "CALIFORNIA"),
            ("USA", "US-CA"),
            (None, "US-CA"),
            ("", "california"),
            ("Vereinigte Staaten", "California"),
        ]
        for mode in ("always", "state"):
            for has_address in (True, False):
                self.assertUse(CALIFORNIA, mode, places, has_address)

    def test_always_leaves_other_places_to_meta(self):
        places = [("US", "NY"), ("DE", "BY"), ("US", None), (None, "CA"), (None, None)]
        for has_address in (True, False):
            self.assertUse(GEOLOCATE, "always", places, has_address)

    def test_people_elsewhere_are_not_limited(self):
        places = [
            ("US", "NY"),
            ("US", "Puerto Rico"),
            (None, "New York"),
            ("DE", None),
            ("CA", "ON"),
            ("IT", "CO"),
            ("MX", "Baja California"),
            ("AU", "California"),
        ]
        for has_address in (True, False):
            self.assertUse(None, "state", places, has_address)

    def test_people_of_an_unknown_place_are_located_by_their_address(self):
        places = [
            (None, None),
            ("", ""),
            (False, False),
            ("US", None),
            ("US", "n/a"),
            ("US", "Bavaria"),
            (None, "CA"),
            (None, "Bavaria"),
            ("Narnia", None),
        ]
        self.assertUse(GEOLOCATE, "state", places)
        self.assertUse(None, "state", places, has_address=False)

    def test_what_is_returned_can_be_sent(self):
        options, country, state = limited_data_use("state", "US", "CA", False)
        event, problems = read_event(
            {
                "event_name": "Lead",
                "user_data": {"em": "jane@example.com"},
                "data_processing_options": options,
                "data_processing_options_country": country,
                "data_processing_options_state": state,
            },
            now=1_795_435_200,
        )
        self.assertEqual(problems, [])
        self.assertEqual(event.data_processing_options_state, 1000)

    def test_no_two_events_share_the_list(self):
        first = limited_data_use("always", "US", "CA", True)
        first[0].clear()
        self.assertUse(CALIFORNIA, "always", [("US", "CA")])
