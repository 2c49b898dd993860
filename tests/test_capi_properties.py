"""What must hold for any input, tried on some hundred that hypothesis makes up."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from ipaddress import ip_address

from ..capi.browser import (
    cookie_domain,
    current_fbc,
    is_browser_id,
    public_address,
    read_fbclid,
)
from ..capi.countries import normalize_country
from ..capi.emails import normalize_emails
from ..capi.event import ServerEvent, read_event
from ..capi.genders import normalize_gender
from ..capi.money import allocate
from ..capi.names import split_name
from ..capi.normalize import (
    EMPTY_DIGEST,
    normalize_birth_date,
    normalize_city,
    normalize_external_id,
    normalize_name,
    normalize_state,
    sha256,
)
from ..capi.phone import normalize_phones
from ..capi.postcodes import normalize_zip
from ..capi.secret import clean_secret
from ..capi.url import without_personal_data

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
DIGEST_PART = re.compile(r"[0-9a-fA-F-]{,64}|[a-z_ ]*")
HASHED_KEYS = "em ph fn ln ge db ct st zp country external_id".split()


def normalize_email(value):
    """Return the first address of a text."""
    return next(iter(normalize_emails(value)), None)


def normalize_phone(value, country=None):
    """Return the first number of a text."""
    return next(iter(normalize_phones(value, country)), None)


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

    pieces = st.sampled_from(
        "jane@example.com joe@eg.com @ . , ; : / & ( ) < > \" ' * - or und Dr. Pan van"
        " Jane Müller Иванович MD y e geb. / İ \u0307 , a/l H. 山田 คุณ อ่าง Ltd".split()
    )
    written = st.lists(pieces | texts, max_size=8).flatmap(
        lambda found: st.sampled_from((" ", "")).map(lambda blank: blank.join(found))
    )

    def is_something(value):
        return value is not None

    def is_long(text):
        """Tell whether a text is none that a digest, a key or a reason holds by chance."""
        return len(text.strip()) > 5 and not DIGEST_PART.fullmatch(text.strip())

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
        @given(things, countries | texts)
        def test_whatever_is_passed_has_a_normal_form_or_none(self, value, country):
            for normalizer in NORMALIZERS:
                self.assertNormal(normalizer(value))
            for normalizer in (normalize_phone, normalize_state, normalize_zip):
                self.assertNormal(normalizer(value, country))

        @quick
        @given(written)
        def test_each_address_of_a_text_is_one_by_itself(self, text):
            for address in normalize_emails(text):
                self.assertEqual(normalize_emails(address), [address])

        @quick
        @given(written, countries | st.sampled_from(("PL", "NL", "RU", "HU", "CN")))
        def test_the_parts_of_a_name_are_texts_each_told_once(self, text, country):
            for names in split_name(text, country):
                self.assertEqual(names, list(dict.fromkeys(names)))
                self.assertTrue(all(map(str.strip, names)))

        def assertNormal(self, text):
            if text is not None:
                self.assertIs(type(text), str)
                self.assertNotEqual(sha256(text), EMPTY_DIGEST)
                self.assertEqual(text, text.strip())

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
        @given(st.sampled_from(HASHED_KEYS), values.filter(is_long), countries)
        def test_what_is_hashed_is_not_sent_itself(self, key, value, country):
            for given_value in (value, [value], {key: value}):
                user_data = {"country": country, key: given_value}
                event, problems = read_event({"user_data": user_data}, now=NOW)
                sent = json.dumps(event.to_dict(), ensure_ascii=False)
                self.assertNotIn(value.strip().lower(), sent.lower())
                self.assertNotIn(value, "".join(map(str, problems)))

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
        def test_custom_data_is_kept_or_named(self, custom_data):
            event, problems = read_event({"custom_data": custom_data}, now=NOW)
            kept = len(event.custom_data or {}) == len(custom_data)
            named = [
                problem
                for problem in (*problems, *problems.left_out)
                if problem.field.startswith("custom_data")
            ]
            self.assertEqual(kept, not named)

    amounts = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)
    weights = st.lists(st.floats(0, 1e9) | st.integers(0, 100), max_size=20)
    roundings = st.sampled_from((0.01, 1.0, 0.001, 0.05, 0.1, 1e-5, 1e-08, 100))

    class TestAllocation(BaseCase):
        @quick
        @given(amounts, weights, roundings)
        def test_parts_add_up_to_the_total(self, total, weights, rounding):
            unit = Fraction(str(rounding))
            parts = [Fraction(str(part)) for part in allocate(total, weights, rounding)]
            self.assertEqual(len(parts), len(weights))
            for part in parts:
                self.assertEqual(part % unit, 0)
                self.assertFalse(part and (part < 0) != (total < 0))
            if parts:
                exact = Fraction(str(total))
                self.assertEqual(sum(parts), round(exact / unit) * unit)
                self.assertLessEqual(abs(sum(parts) - exact), unit / 2)

        @quick
        @given(amounts, weights, roundings)
        def test_no_part_is_a_unit_from_its_share(self, total, weights, rounding):
            exact = [Fraction(str(weight)) for weight in weights]
            if any(exact):
                unit = Fraction(str(rounding))
                whole = round(Fraction(str(total)) / unit) * unit
                parts = allocate(total, weights, rounding)
                for part, weight in zip(parts, exact, strict=True):
                    share = whole * weight / sum(exact)
                    self.assertLess(abs(Fraction(str(part)) - share), unit)

    hosts = texts | st.lists(
        st.sampled_from("www shop example müller co com odoo uk de jp 1 -".split())
        | texts,
        max_size=5,
    ).map(".".join)

    class TestBrowser(BaseCase):
        @quick
        @given(hosts)
        def test_a_cookies_domain_covers_its_host(self, host):
            domain, index = cookie_domain(host)
            self.assertGreaterEqual(index, 1)
            if domain is not None:
                self.assertEqual(domain.count("."), index)
                if host.isascii():
                    name = host.strip().lower().partition(":")[0]
                    self.assertTrue(f".{name}".endswith(f".{domain}"))
                if not domain.startswith("www."):
                    self.assertEqual(cookie_domain(domain), (domain, index))

        @quick
        @given(texts, st.sampled_from((None, "Old")) | texts)
        def test_a_click_makes_a_cookie_that_is_then_kept(self, text, cookie):
            fbclid = read_fbclid(f"https://shop.example/?a=b&fbclid={text}")
            fbc = current_fbc(cookie, fbclid, NOW * 1000, 1)
            self.assertEqual(fbc is None, fbclid is None)
            if fbc:
                self.assertTrue(is_browser_id(fbc))
                self.assertEqual(current_fbc(fbc, fbclid, NOW * 1000 + 1, 2), fbc)

        @quick
        @given(st.lists(st.ip_addresses().map(str) | texts, max_size=4))
        def test_an_address_is_one_of_the_candidates(self, candidates):
            address = public_address(*candidates)
            if address is not None:
                self.assertEqual(public_address(address), address)
                self.assertTrue(ip_address(address).is_global)

    urls = st.builds(
        "https://{}{}".format,
        texts,
        st.lists(
            st.sampled_from(("/", "?", "&", "#", "=", "a", "email", "+4930901820"))
            | texts,
            max_size=12,
        ).map("".join),
    )

    class TestUrls(BaseCase):
        @quick
        @given(urls)
        def test_a_url_loses_parts_and_changes_none(self, url):
            kept = without_personal_data(url)
            self.assertEqual(without_personal_data(kept), kept)
            self.assertNotIn("@", kept)
            query = "?" + kept.partition("?")[2]
            self.assertFalse(re.search("[?&]email=", query))
            rest = iter(url)
            self.assertTrue(all(char in rest for char in kept))

    tokens = st.text("ABCDEFacdf0123456789|-_.", min_size=8)
    wrappings = st.sampled_from(
        (
            *("{}", "  {}\n", "'{}'", '"{}"', "“{}”", "„{}“", "`{}`", "«{}»"),
            *("Bearer {}", 'Bearer "{}"', "'bearer {}'", "Authorization: Bearer {}"),
            *("\ufeff{}\u200b", "\t{}\r\n"),
        )
    )

    class TestSecrets(BaseCase):
        @quick
        @given(tokens, wrappings, wrappings)
        def test_what_a_token_is_wrapped_in_is_taken_off(self, token, inner, outer):
            self.assertEqual(clean_secret(outer.format(inner.format(token))), token)

        @quick
        @given(tokens, st.data(), st.sampled_from(("\n", "\r\n", " \n    ", "\u2028")))
        def test_a_break_of_the_line_is_taken_out(self, token, data, line_break):
            place = data.draw(st.integers(1, len(token) - 1))
            broken = token[:place] + line_break + token[place:]
            self.assertEqual(clean_secret(broken), token)

        @quick
        @given(st.text())
        def test_what_is_clean_stays_so(self, text):
            cleaned = clean_secret(text)
            self.assertEqual(clean_secret(cleaned), cleaned)

else:

    class TestProperties(BaseCase):
        def test_properties(self):
            self.skipTest("hypothesis is not installed: no property was tried")
