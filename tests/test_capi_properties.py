"""What must hold for any input, tried on some hundred that hypothesis makes up."""

from __future__ import annotations

import json
import re

from ..capi.event import ServerEvent, read_event
from ..capi.normalize import (
    EMPTY_DIGEST,
    normalize_birth_date,
    normalize_city,
    normalize_country,
    normalize_email,
    normalize_external_id,
    normalize_gender,
    normalize_name,
    normalize_phone,
    normalize_state,
    normalize_zip,
)

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase
try:
    from hypothesis import given, settings
    from hypothesis import strategies as st
except ImportError:  # the addon works without it
    given = None

NOW = 1_795_435_200
DIGEST = re.compile(r"[0-9a-f]{64}")
HASHED_KEYS = "em ph fn ln ge db ct st zp country external_id".split()
NORMALIZERS = (
    normalize_birth_date,
    normalize_city,
    normalize_country,
    normalize_email,
    normalize_external_id,
    normalize_gender,
    normalize_name,
    normalize_state,
    normalize_zip,
)

if given:
    texts = st.text(st.characters(exclude_categories=()), max_size=40)
    addresses = st.emails() | st.builds(" {}\n".format, st.emails())
    phones = st.from_regex(r"(\+|00|0)?[1-9][0-9 ()/.-]{4,16}", fullmatch=True)
    dates = st.dates().map(str) | st.from_regex(
        r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.](19|20)[0-9]{2}", fullmatch=True
    )
    values = st.one_of(texts, addresses, phones, dates)
    countries = st.sampled_from((None, "", "US", "us", "CA", "DE", "FR", "GB", "??"))
    things = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.decimals()
        | st.binary(max_size=10)
        | st.dates()
        | st.datetimes()
        | st.complex_numbers()
        | values,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner)
            | st.dictionaries(texts | st.integers(), inner, max_size=4)
        ),
        max_leaves=8,
    )

    def is_something(value):
        return value is not None

    quick = settings(max_examples=100, deadline=None, database=None)

    class TestProperties(BaseCase):
        @quick
        @given(st.sampled_from(NORMALIZERS), things)
        def test_normalizing_twice_changes_nothing(self, normalizer, value):
            once = normalizer(value)
            if once is not None:
                self.assertTrue(once)
                self.assertEqual(normalizer(once), once)

        @quick
        @given(phones, countries)
        def test_a_normal_phone_is_normal_with_its_plus(self, value, country):
            digits = normalize_phone(value, country)
            if digits is not None:
                self.assertRegex(digits, r"^[1-9][0-9]{3,16}$")
                self.assertEqual(normalize_phone(f"+{digits}", country), digits)

        @quick
        @given(st.sampled_from(HASHED_KEYS), things, countries)
        def test_hashed_keys_hold_digests_only(self, key, value, country):
            user_data = {"country": country, key: value}
            event, _problems = read_event({"user_data": user_data}, now=NOW)
            for found in event.user_data.values():
                for digest in [found] if isinstance(found, str) else found:
                    mark = digest[64:]
                    self.assertRegex(digest[:64], DIGEST)
                    self.assertTrue(not mark or mark.startswith("."), mark)
                    self.assertNotEqual(digest[:64], EMPTY_DIGEST)

        @quick
        @given(st.sampled_from(HASHED_KEYS), values)
        def test_what_was_read_once_is_read_unchanged(self, key, value):
            first, _problems = read_event({"user_data": {key: value}}, now=NOW)
            again, _problems = read_event({"user_data": first.user_data}, now=NOW)
            self.assertEqual(again.user_data, first.user_data)

        @quick
        @given(
            st.dictionaries(
                st.sampled_from(ServerEvent.__slots__) | texts,
                things | st.dictionaries(st.sampled_from(HASHED_KEYS) | texts, things),
                max_size=6,
            )
        )
        def test_whatever_is_passed_can_be_stored(self, arguments):
            event, problems = read_event(arguments, now=NOW)
            text = json.dumps(event.to_dict(), ensure_ascii=False, allow_nan=False)
            text += "".join(map(str, problems))
            text.encode()
            self.assertNotIn("\\u0000", text)
            self.assertTrue(event.event_id)
            self.assertTrue(event.event_name or problems)

        @quick
        @given(st.dictionaries(texts, things.filter(is_something), max_size=5))
        def test_custom_data_is_kept_or_refused(self, custom_data):
            event, problems = read_event({"custom_data": custom_data}, now=NOW)
            kept = len(event.custom_data or {}) == len(custom_data)
            refused = [p for p in problems if p.field.startswith("custom_data")]
            self.assertEqual(kept, not refused)
