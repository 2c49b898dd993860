from __future__ import annotations

import doctest
from datetime import date, datetime, timedelta

from ..capi import normalize as normalize_module
from ..capi import reading as reading_module
from ..capi import user_data as user_data_module
from ..capi.countries import normalize_country
from ..capi.emails import normalize_emails
from ..capi.genders import normalize_gender
from ..capi.normalize import (
    is_hashed,
    normalize_birth_date,
    normalize_city,
    normalize_digest,
    normalize_external_id,
    normalize_name,
    normalize_state,
    sha256,
)
from ..capi.phone import normalize_phones
from ..capi.postcodes import normalize_zip

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

BIRTHDAY = "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"
JOE = "8830eedd6c6b5ea97d181563a349476ca1bb25ace1f94b5c5e48d9cad727941b"
JOHN = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
US_PHONE = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"
US = "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"
VALERY = "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"
ZIP = "1794327a4d443904421f5ca1f3d72d0a62ba2f0770d80755ec2220fc0efb052e"


def normalize_email(value):
    """Return the first address of a text."""
    return next(iter(normalize_emails(value)), None)


def normalize_phone(value, country=None):
    """Return the first number of a text."""
    return next(iter(normalize_phones(value, country)), None)


# Digests printed in Meta's documents, and those on which its libraries agree or which
# follow from a rule of the documents.
DIGESTS = [
    (normalize_email, ("John_Smith@gmail.com",), JOHN),
    (normalize_email, ("  JOE@EG.COM ",), JOE),
    (normalize_email, ("joe@eg.com\n",), JOE),
    (normalize_phone, ("+1 (650) 555-1212",), US_PHONE),
    (normalize_phone, ("(650)555-1212", "US"), US_PHONE),
    (normalize_phone, ("0016505551212",), US_PHONE),
    (
        normalize_phone,
        ("+44 844 412 4653",),
        "dc008fda46e2e64002cf2f82a4906236282d431c4f75e5b60bfe79fc48546383",
    ),
    (  # Meta's library keeps the trunk zero, which no such number has
        normalize_phone,
        ("+49 (0) 30 901820",),
        "c03f76216358b07b09a300613908002987efc1ae9a2ef2a85d57d5a971bf821a",
    ),
    (
        normalize_name,
        ("Mary",),
        "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec",
    ),
    (
        normalize_name,
        ("정",),
        "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14",
    ),
    (normalize_name, ("Valéry",), VALERY),
    (normalize_name, ("VALÉRY",), VALERY),
    (
        normalize_name,
        ("O'Brien",),
        "b4cb6cb33fe4b865868de825023a1e2790dc12ac01ecc8d7c5afe8254071c8ba",
    ),
    (
        normalize_gender,
        ("m",),
        "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a",
    ),
    (
        normalize_gender,
        ("F",),
        "252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111",
    ),
    (normalize_birth_date, ("2/16/1997",), BIRTHDAY),
    (normalize_birth_date, ("19970216",), BIRTHDAY),
    (
        normalize_city,
        ("New York",),
        "350c754ba4d38897693aa077ef43072a859d23f613443133fecbbd90a3512ca5",
    ),
    (
        normalize_city,
        ("São Paulo",),
        "3eda1428ae1aece064071f8d40f08fe2bc59ffa66c171a163caf15122ec4d7f0",
    ),
    (
        normalize_city,
        ("Zürich",),
        "201f10d5d64518d86d2d3a47d28675d1c788762c5345df643dadec71d4e0a91e",
    ),
    (
        normalize_state,
        ("CA",),
        "6959097001d10501ac7d54c0bdb8db61420f658f2922cc26e46d536119a31126",
    ),
    (
        normalize_state,
        ("New South Wales", "AU"),
        "96236847af45f93f09c6ba2627cdb8da07e395f009d0e42f782cffb119cc24da",
    ),
    (normalize_zip, ("94035",), ZIP),
    (normalize_zip, ("94035-1234",), ZIP),
    (
        normalize_zip,
        ("M1 1AE",),
        "1dc694c2070e697769fb959b50671d76cafd430d8ca191fbdd0affcaea344ac5",
    ),
    (
        normalize_zip,
        ("00-950",),
        "157c5bb53cacd69115a429c3a9257890995f3410caf57a12e1959f70c7b3fbec",
    ),
    (normalize_country, ("United States",), US),
    (normalize_country, ("US",), US),
    (
        normalize_country,
        ("GB",),
        "0b407281768f0e833afef47ed464b6571d01ca4d53c12ce5c51d1462f4ad6677",
    ),
]

NORMALIZERS = (
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


class NormalizeCase(BaseCase):
    def assertNormal(self, normalizer, cases):
        """Check a dictionary of what each input, or tuple of inputs, becomes."""
        for value, expected in cases.items():
            with self.subTest(value=value):
                args = value if isinstance(value, tuple) else (value,)
                self.assertEqual(normalizer(*args), expected)


class TestNormalize(NormalizeCase):
    def test_the_documented_digests_come_out(self):
        for normalizer, args, digest in DIGESTS:
            with self.subTest(normalizer=normalizer.__name__, args=args):
                self.assertEqual(sha256(normalizer(*args)), digest)

    def test_the_examples_in_the_docstrings_hold(self):
        for module in (normalize_module, reading_module, user_data_module):
            with self.subTest(module=module.__name__):
                self.assertEqual(doctest.testmod(module).failed, 0)

    def test_words_for_nothing_are_nothing(self):
        words = (
            "",
            " ",
            "\u200b",
            "N/A",
            "none",
            "NULL",
            "-",
            "False",
            " . ",
            "\ufeff ",
        )
        for normalizer in NORMALIZERS:
            for word in words:
                with self.subTest(normalizer=normalizer.__name__, word=word):
                    self.assertIsNone(normalizer(word))

    def test_what_is_no_text_is_nothing(self):
        for normalizer in NORMALIZERS:
            for value in (None, False, True, 42, 1.5, b"jane", [], {}, object()):
                with self.subTest(normalizer=normalizer.__name__, value=value):
                    self.assertIsNone(normalizer(value))

    def test_text_that_cannot_be_stored_is_nothing(self):
        for normalizer in NORMALIZERS:
            for text in ("ja\x00ne@example.com", "\ud800"):
                with self.subTest(normalizer=normalizer.__name__, text=text):
                    self.assertIsNone(normalizer(text))

    def test_digests_are_known_by_their_form(self):
        for text in (JOE, JOE.upper(), f" {JOE}\n", f"{JOE}.AQQCAQMC", f"{JOE}.Ag"):
            with self.subTest(text=text):
                self.assertTrue(is_hashed(text))
        for text in ("", JOE[:63], JOE + "0", JOE[:32], f"{JOE}.x", "g" * 64):
            with self.subTest(text=text):
                self.assertFalse(is_hashed(text))

    def test_digests_become_lower_case_except_their_mark(self):
        self.assertEqual(normalize_digest(JOE.upper()), JOE)
        self.assertEqual(normalize_digest(JOHN.upper()), JOHN)
        self.assertEqual(normalize_digest(f"{JOE.upper()}.AQQCAQMC"), f"{JOE}.AQQCAQMC")

    def test_the_digest_of_nothing_is_nothing(self):
        self.assertIsNone(normalize_digest(sha256("")))
        self.assertIsNone(normalize_digest(f"{sha256('').upper()}.AQQCAQMC"))


class TestNormalizeEmail(NormalizeCase):
    def test_addresses_are_trimmed_and_lowered(self):
        self.assertNormal(
            normalize_email,
            {
                "Jane.Doe+Shop@Example.CO.UK": "jane.doe+shop@example.co.uk",
                "\u200bjane@example.com\u200b": "jane@example.com",
                "jane@exa\u0308mple.com": "jane@exämple.com",
                "用户@例子.公司": "用户@例子.公司",
            },
        )

    def test_what_is_no_address_is_dropped(self):
        self.assertNormal(
            normalize_email,
            dict.fromkeys(
                (
                    "jane@@example.com",
                    "jane@example",
                    "jane@example..com",
                    ".jane@example.com",
                    "@example.com",
                    "ja ne@example.com",
                    "d41d8cd98f00b204e9800998ecf8427e",
                )
            ),
        )


class TestNormalizePhone(NormalizeCase):
    def test_national_numbers_are_read_in_their_country(self):
        self.assertNormal(
            normalize_phone,
            {
                ("030 901820", "DE"): "4930901820",
                ("030/901820", "de"): "4930901820",
                ("4930901820", "DE"): "4930901820",
                ("(650) 555-1212", "US"): "16505551212",
                ("1-650-555-1212 ext. 5", "US"): "16505551212",
                ("06 12 34 56 78", "FR"): "33612345678",
                ("06 1234 5678", "IT"): "390612345678",
                ("٠١٠ ٠١٢٣ ٤٥٦٧", "EG"): "201001234567",
            },
        )

    def test_international_numbers_need_no_country(self):
        self.assertNormal(
            normalize_phone,
            {
                "+49 (0)30 901820": "4930901820",
                "0049 30 901820": "4930901820",
                ("+49 30 901820", "US"): "4930901820",
                ("+49 30 901820", "no country"): "4930901820",
                ("011 49 30 901820", "US"): "4930901820",
            },
        )

    def test_numbers_of_an_unknown_country_are_dropped(self):
        self.assertNormal(
            normalize_phone,
            dict.fromkeys(
                (
                    "030 901820",
                    ("030 901820", ""),
                    ("030 901820", "XX"),
                    ("12", "DE"),
                    ("+49", None),
                    ("call me", "DE"),
                    ("1-800-FLOWERS", "US"),
                    "+" + "4" * 300,
                )
            ),
        )


class TestNormalizeAddress(NormalizeCase):
    def test_names_keep_the_letters_of_every_script(self):
        self.assertNormal(
            normalize_name,
            {
                "Anne-Marie  von Müller": "annemarievonmüller",
                "Jose\u0301": "josé",
                "प्रिया": "प्रिया",
                "محمد": "محمد",
                "John 3rd 😀": "john3rd",
                "Na": "na",
                "123": None,
                "😀": None,
                "!?": None,
            },
        )

    def test_cities_are_letters_only(self):
        self.assertNormal(
            normalize_city,
            {
                "St. John's": "stjohns",
                "Paris 15e": "parise",
                "’s-Hertogenbosch": "shertogenbosch",
                "75018": None,
                "---": None,
            },
        )

    def test_states_of_the_us_and_canada_become_two_letters(self):
        self.assertNormal(
            normalize_state,
            {
                ("California", "US"): "ca",
                ("california ", "us"): "ca",
                ("District of Columbia", "US"): "dc",
                ("US-NY", "US"): "ny",
                ("Québec", "CA"): "qc",
                ("QC", "CA"): "qc",
                ("New York", None): "ny",
                ("Ontario", ""): "on",
            },
        )

    def test_states_elsewhere_are_squeezed_never_cut(self):
        self.assertNormal(
            normalize_state,
            {
                ("Georgia", "GE"): "georgia",
                ("Île-de-France", "FR"): "îledefrance",
                ("Baja California", "MX"): "bajacalifornia",
                ("Ontario", "DE"): "ontario",
            },
        )

    def test_postal_codes_are_letters_and_digits(self):
        self.assertNormal(
            normalize_zip,
            {
                ("94035 1234", "US"): "94035",
                "940351234": "94035",
                ("12345-6789", "SA"): "123456789",
                ("1010-001", "PT"): "1010001",
                ("〒100-0001", "JP"): "1000001",
                ("１００", "JP"): "100",
                ("K1A 0B1", "CA"): "k1a0b1",
                "?": None,
            },
        )

    def test_countries_are_codes(self):
        self.assertNormal(
            normalize_country,
            {" de ": "de", "XK": "xk", "Narnia": None, "zz": None},
        )

    def test_the_us_is_known_by_its_name(self):
        self.assertNormal(
            normalize_country,
            dict.fromkeys(
                ("USA", "U.S.", "united states", "United States of America"), "us"
            ),
        )


class TestNormalizePerson(NormalizeCase):
    def test_birthdays_are_read_where_one_day_is_meant(self):
        self.assertNormal(
            normalize_birth_date,
            {
                date(1997, 2, 16): "19970216",
                datetime(1997, 2, 16, 23, 59): "19970216",
                "1997-02-16T00:00:00Z": "19970216",
                "1997/02/16": "19970216",
                "16/2/1997": "19970216",
                "2/16/1997": "19970216",
                "2.2.1997": "19970202",
            },
        )

    def test_birthdays_that_are_none_are_dropped(self):
        tomorrow = date.today() + timedelta(days=1)
        self.assertNormal(
            normalize_birth_date,
            dict.fromkeys(
                (
                    "1/2/1997",
                    "1997-02-30",
                    "1997-0216",
                    "97-02-16",
                    "30/30/1997",
                    "18991231",
                    date.max,
                    date.min,
                    tomorrow,
                )
            ),
        )

    def test_genders_come_from_the_initial_or_the_word(self):
        self.assertNormal(
            normalize_gender,
            {"Female": "f", "man": "m", " F ": "f", "other": None, "fluid": None},
        )

    def test_external_ids_have_one_form(self):
        self.assertNormal(
            normalize_external_id,
            {"Customer 42": "customer42", "42": "42", "ÄB-1": "äb-1", "0": None},
        )
