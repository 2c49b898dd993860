"""Our digests beside those of Meta's own library for Python, ``facebook_business``.

Every input has a verdict: both give one digest, or there is a reason why not. So no
difference goes unnoticed, neither a new one nor one that is gone.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from dataclasses import dataclass
from unittest.mock import patch

from ..capi.normalize import sha256
from ..capi.reading import Problems
from ..capi.user_data import read_user_data
from ..dev.testing.meta_sdk import FOLDER, NORMALIZER

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

EQUAL, DIFFER = "equal", "differ with a reason"
OURS, THEIRS, NEITHER = "only we accept", "only it accepts", "neither accepts"


@dataclass(frozen=True)
class Verdict:
    outcome: str
    reason: str


SAME = Verdict(EQUAL, "one digest")
NOTHING = Verdict(NEITHER, "there is nothing to hash")

# We take what it refuses.
MARK = Verdict(OURS, "Meta's parameter builder appends a mark, which Meta accepts")
SYMBOLS = Verdict(OURS, "Meta's document: remove symbols and letters; it knows a few")
US_NAME = Verdict(OURS, "Meta's document: United States becomes us")
COUNTRY_NAME = Verdict(OURS, "a country by its name or another code; it knows alpha-2")
FULL_WIDTH = Verdict(OURS, "an address in full-width letters; it misses the sign")
KOSOVO = Verdict(OURS, "xk is in use, though not assigned by ISO")

# We refuse what it takes.
NO_CODE = Verdict(THEIRS, "nobody lives there: it is typed to fill a field")
MD5 = Verdict(THEIRS, "Meta's document knows SHA-256 only")
NO_ADDRESS = Verdict(THEIRS, "no single bare e-mail address; it asks for a@b.c at most")
NO_COUNTRY_CODE = Verdict(THEIRS, "Meta's document: include the country code")
NO_NUMBER = Verdict(THEIRS, "no phone number in the world is like that")
EMPTY = Verdict(THEIRS, "nothing is left: it would tie everybody together")
EMPTY_WORD = Verdict(THEIRS, "a word for nothing would tie everybody together")
NO_LETTER = Verdict(THEIRS, "nobody's name is without a letter")
CONTROL = Verdict(THEIRS, "a text with control characters was damaged")
NO_INITIAL = Verdict(THEIRS, "Meta's document: f or m")
NO_DAY = Verdict(THEIRS, "not one day since 1900, which Meta's document asks for")
NO_US_ZIP = Verdict(THEIRS, "Meta's document: the first five digits in the US")
NO_CODE = Verdict(THEIRS, "no code of a country: letters are left by chance")

# Each takes it, and makes something else of it.
MD5_HASHED = Verdict(DIFFER, "Meta's document knows SHA-256 only: it passes an MD5 on")
COMPATIBLE = Verdict(
    DIFFER, "one letter or digit, whichever of its forms; it hashes each apart"
)
AROUND = Verdict(DIFFER, "what stands around an address is no part of it; it keeps all")
SEVERAL = Verdict(DIFFER, "each address by itself; it hashes them as one")
LOST_ZERO = Verdict(DIFFER, "a US ZIP code that has lost its zero; it hashes the rest")
TITLE = Verdict(DIFFER, "Meta's document: an initial; it hashes the title")
NFC = Verdict(DIFFER, "one letter, one form; it hashes composed and decomposed apart")
ONE_DOT = Verdict(DIFFER, "the Turkish İ is i in lower case; it adds a second dot")
INVISIBLE = Verdict(DIFFER, "characters copied along that nobody sees; it keeps them")
TRUNK_ZERO = Verdict(DIFFER, "the zero in parentheses is no part of the number")
OTHER_DIGITS = Verdict(
    DIFFER, "digits of another script are digits; it hashes them raw"
)
NO_PUNCTUATION = Verdict(DIFFER, "Meta's document: no punctuation; it keeps some")
NO_SPACE = Verdict(DIFFER, "as Meta's parameter builder does; it keeps inner spaces")
INITIAL = Verdict(DIFFER, "Meta's document: an initial; it hashes the word")
DATE_FORMAT = Verdict(DIFFER, "Meta's document: YYYYMMDD; it hashes what it is given")
STATE_CODE = Verdict(DIFFER, "Meta's document: the two letters of a US state")
STATE_DIGIT = Verdict(DIFFER, "a region's number tells it from others; it is dropped")
ZIP_DASH = Verdict(DIFFER, "Meta's document: no dash; it drops all that follows one")
US_ZIP = Verdict(DIFFER, "Meta's document: five digits in the US; it keeps nine")
ZIP_SYMBOL = Verdict(DIFFER, "a postal code is letters and digits; it keeps symbols")

JOE = sha256("joe@eg.com")
AN_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def words(text):
    return tuple(text.split())


def phrases(text):
    return tuple(phrase.strip() for phrase in text.split("|"))


def forms(*texts):
    """Return each text in all cases, and with white space around it."""
    return tuple(
        form
        for text in texts
        for form in dict.fromkeys((text, text.upper(), text.lower(), f"  {text}\n"))
    )


NAMES = {
    SAME: forms(
        *words(
            "Mary 정 Valéry Müller Жанна Ελένη محمد प्रिया さくら 山田 Łukasz Søren Åsa Zoë"
            " Nguyễn สมชาย ß Straße Işık Ólafur Çağla Ţepeş נועה გიორგი Արամ தமிழ் 三"
            " R2D2 x̌"
        )
    )
    + (JOE, "\tMary"),
    NO_PUNCTUATION: phrases(
        "O'Brien | Anne-Marie | J. | Jr. | d’Artagnan | Smith, John | Dr. Who | (Mary)"
        ' | "Mary" | Mary/Ann | Mary😀 | Mary_Ann | Mary&Joe | ¡Mary! | X Æ A-12'
        " | Müller-Lüdenscheidt | Ngũgĩ wa Thiong'o | Марʼяна | Мар'яна | Hawaiʻi | محـمد"
    ),
    NO_SPACE: ("Mary Ann", "van der Berg", "John 3rd", "Mary\u00a0Ann"),
    ONE_DOT: (*forms("İpek"), "I\u0307pek"),
    NFC: (*forms("Jose\u0301"), "E\u0301lodie", "e\u0301\u0323"),
    INVISIBLE: (
        *("Mary\u200b", "\u200eMary\u200e", "Ma\u00adry", "Ali\u200cReza"),
        *("葛\U000e0100城", "Mary\ufe0f", "辻\ufe00", "M\u034fary"),
    ),
    COMPATIBLE: (
        *forms(*words("Ｍａｒｙ ªna ǆ")),
        *words("ﬁona Ⅷ ﾀﾛｳ ﻣﺤﻤﺪ Ĳsbrand"),
    ),
    MD5_HASHED: (AN_MD5,),
    NO_LETTER: ("123", "!?", "😀", "\u200b"),
    EMPTY_WORD: ("-", "n/a", "None", "null", "unknown"),
    EMPTY: (" ",),
    CONTROL: ("Mary\x00",),
    NOTHING: ("",),
}

CASES = {
    "em": {
        SAME: forms(
            *words(
                "John_Smith@gmail.com joe@eg.com jane.doe+shop@example.co.uk x@y.io"
                " o'brien@example.com first.last@sub.domain.example.org 123@456.com"
                " 用户@例子.公司 jäne@exämple.com a_b-c@d-e.museum {jane}@example.com"
                " jane@example.xn--p1ai jane!#$%&'*+/=?^_`|~@example.com"
            )
        )
        + (JOE, JOE.upper(), f" {JOE} ", "\u00a0jane@example.com")
        + ("joe@eg.com\t",),
        ONE_DOT: ("İ@example.com", "İbrahim@example.com"),
        COMPATIBLE: ("ǅ@example.com", "ｊａｎｅ@example.com"),
        FULL_WIDTH: ("ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ",),
        AROUND: phrases(
            "Jane <jane@example.com> | mailto:jane@example.com | jane@example.com."
            " | <j@b.com> | jane@example.com, | jane@example.com; | 'jane@example.com'"
        ),
        SEVERAL: ("jane@example.com, joe@example.com", "j@b.com;joe@example.com"),
        NFC: ("jane@exa\u0308mple.com",),
        INVISIBLE: (
            "\u200bj@example.com",
            "j@example.com\u200b",
            "\ufeffj@example.com",
        ),
        MARK: (f"{JOE}.AQQCAQMC", f"{JOE}.Ag"),
        NO_ADDRESS: phrases(
            "j@@example.com | j@b..com | .jane@example.com | ja ne@example.com"
            ' | jane@[192.168.0.1] | "jane doe"@example.com | jane(home)@example.com'
            " | jane..doe@example.com | jane@192.168.0.1 | jane@-example.com"
        ),
        CONTROL: ("jane\x00@example.com", "jane@example.com\x00"),
        MD5: (AN_MD5,),
        NOTHING: ("", " ", *words("n/a none jane jane@ jane@.com j@example @b.com")),
    },
    "ph": {
        SAME: phrases(
            "+1 (650) 555-1212 | 0016505551212 | +44 844 412 4653 | +49 30 901820"
            " | +4930901820 | 004930901820 | +33 6 12 34 56 78 | +39 06 1234 5678"
            " | +34 912 345 678 | +31 20 123 4567 | +43 1 5123456 | +41 44 668 18 00"
            " | +32 2 555 12 12 | +48 22 123 45 67 | +46 8 123 456 78 | +47 22 12 34 56"
            " | +45 32 12 34 56 | +358 9 1234567 | +351 21 123 4567 | +30 21 0123 4567"
            " | +353 1 234 5678 | +420 222 123 456 | +36 1 123 4567 | +40 21 123 4567"
            " | +90 212 123 45 67 | +7 495 123-45-67 | +380 44 123 4567 | +972 3 123 4567"
            " | +971 4 123 4567 | +966 11 123 4567 | +20 2 12345678 | +27 11 123 4567"
            " | +254 20 1234567 | +91 11 2345 6789 | +91 98765 43210 | +86 10 1234 5678"
            " | +81 3-1234-5678 | +82 2-123-4567 | +65 6123 4567 | +60 3-1234 5678"
            " | +66 2 123 4567 | +84 24 1234 5678 | +62 21 1234567 | +63 2 1234 5678"
            " | +61 2 1234 5678 | +64 9 123 4567 | +55 11 91234-5678 | +54 11 1234-5678"
            " | +54 9 11 1234-5678 | +52 55 1234 5678 | +56 2 1234 5678 | +57 1 2345678"
            " | +51 1 1234567 | +1-416-555-0123 | +1 809 555 1234 | +852 2123 4567"
            " | +886 2 1234 5678 | 0044 20 7946 0958 | 00 1 650 555 1212"
        )
        + ("+1\u00a0650\u00a0555\u00a01212", JOE, JOE.upper())
        + (("+49 30 901820", "US"), ("4930901820", "DE"), "4930901820", "16505551212")
        + ("+0049 30 901820", "491711234567", ("491711234567", "DE"))
        + (("447911123456", "IT"), ("16505551212", "DE"), "(0044) 7911 123456"),
        TRUNK_ZERO: phrases(
            "+49 (0) 30 901820 | +44 (0)20 7946 0958 | +44 (0) 844 412 4653"
        ),
        OTHER_DIGITS: ("+٤٩٣٠٩٠١٨٢٠", "٠٠٤٩٣٠٩٠١٨٢٠"),
        SYMBOLS: phrases(
            "+1.650.555.1212 | +1 650 555 1212 ext. 5 | +1 650 555 1212 x5"
            " | tel:+16505551212 | +49/30/901820 | +49 30/901820 | ＋16505551212"
        )
        + ("\u202a+16505551212\u202c", "+1 650\u2011555\u20111212")
        + ("+34 612 345 678 (WhatsApp)", "+49 171 1234567 Fax"),
        NO_COUNTRY_CODE: phrases(
            "6505551212 | (650) 555-1212 | 650-555-1212 | 030 901820"
            " | 0171 1234567 | 011 49 30 901820"
        ),
        NO_NUMBER: phrases(
            "+234 1 234 5678 | +1 (0)650 555 1212 | +999 123 456 789 | +1 650 555 12"
            " | +1 650 555 1212 1212 | +0 650 555 1212 | 000 49 30 901820"
        ),
        MD5: (AN_MD5,),
        NOTHING: ("", "call me", *words("00 + n/a +1 +12 +49 12345")),
    },
    "fn": NAMES,
    "ln": NAMES,
    "ge": {
        SAME: (*forms("m", "f"), JOE),
        INITIAL: words("male female Male FEMALE man woman männlich"),
        TITLE: words("Mr Mrs Ms. Frau Señor Mlle"),
        NO_INITIAL: words("other x d 0 1 Dr n/a"),
        MD5: (AN_MD5,),
        NOTHING: ("",),
    },
    "db": {
        SAME: (*words("19970216 19000101 20000229 20250101"), " 19970216 ", JOE),
        DATE_FORMAT: words(
            "1997-02-16 1997/02/16 1997.02.16 16.02.1997 2/16/1997 16/2/1997 2.2.1997"
            " 1997-02-16T00:00:00Z"
        )
        + ("1997-02-16 12:00:00", "16 Feb 1997", "February 16, 1997")
        + ("1997-2-16", "1997年2月16日"),
        COMPATIBLE: ("１９９７０２１６",),
        NO_DAY: words(
            "1/2/1997 970216 1997 19970230 18991231 29990101 00000000 0000-00-00"
            " 02161997 n/a"
        ),
        MD5: (AN_MD5,),
        NOTHING: ("",),
    },
    "ct": {
        SAME: forms(
            *phrases(
                "New York | Paris | London | Menlo Park | São Paulo | Zürich | Köln"
                " | München | Málaga | Łódź | Αθήνα | Москва | 東京 | 서울 | القاهرة | मुंबई"
                " | กรุงเทพ | Reykjavík | Ängelholm | Ho Chi Minh | Saint-Étienne"
                " | Stratford (Ontario) | St. Gallen | Paris 15e | Washington D.C."
                " | Baden-Baden | Las  Vegas | Iğdır | 42 Street"
            )
        )
        + ("São\u00a0Paulo", "Bad Homburg v.d.H.", JOE),
        NO_PUNCTUATION: phrases(
            "'s-Hertogenbosch | St. John's | L'Aquila | Frankfurt/Main | Halle, Saale"
            " | Winston–Salem | Coeur d’Alene | City & Port | A Coruña, ES | Mexico_City"
            " | Biel/Bienne | Paris😀 | Truth or Consequences! | Val-d'Or | ¿Cuenca?"
        ),
        ONE_DOT: forms("İzmir"),
        NFC: ("Mu\u0308nchen",),
        INVISIBLE: ("München\u200b",),
        COMPATIBLE: forms("Ｔｏｋｙｏ"),
        MD5_HASHED: (AN_MD5,),
        EMPTY: ("75018", "---", "(42)", " "),
        EMPTY_WORD: ("n/a",),
        NOTHING: ("",),
    },
    "st": {
        SAME: forms(
            *phrases(
                "CA | BY | NSW | New South Wales | Bayern | Île de France | São Paulo"
                " | Baja California Sur | Nordrhein-Westfalen | Castilla y León | Tōkyō"
                " | Москва | Provence (Alpes)"
            )
        )
        + ("D.C.", "N.S.W.", "Île-de-France", JOE, ("Georgia", "GE"), ("Bayern", "DE"))
        + (("CA", "US"), ("California", "MX"), ("New South Wales", "AU")),
        STATE_CODE: phrases(
            "California | new york | Texas | District of Columbia | Puerto Rico | Ontario"
            " | Québec | US-CA | CA-ON | Washington, DC"
        )
        + (("California", "US"), ("New York", "US"), ("Ontario", "CA")),
        STATE_DIGIT: forms("Region 2"),
        NO_PUNCTUATION: phrases(
            "Provence-Alpes-Côte d'Azur | Emilia/Romagna | Trentino–Alto | Friuli_V"
        ),
        MD5_HASHED: (AN_MD5,),
        EMPTY: ("12", "---", " "),
        EMPTY_WORD: ("n/a",),
        NOTHING: ("",),
    },
    "zp": {
        SAME: forms(
            *phrases(
                "94035 | 1987 | 75018 | M1 1AE | SW1A 1AA | K1A 0B1 | 1012 AB | D04 X2P5"
                " | 10115 | 00100 | 110001 | 100 05 | AD500 | LV1010"
            )
        )
        + ("94035-1234", "2134", "M1\u00a01AE", JOE, ("94035-1234", "US"))
        + (("94035", "US"), ("M1 1AE", "GB")),
        ZIP_DASH: words(
            "00-950 1010-001 100-0001 01310-100 LV-1010 A-1010 CH-8001 D-10115 L-1234"
        )
        + (("00-950", "PL"), ("100-0001", "JP"), ("12345-6789", "SA")),
        US_ZIP: ("94035 1234", "940351234", ("94035 1234", "US"), ("940351234", "US")),
        ZIP_SYMBOL: phrases("94035, | #94035 | M1.1AE | SW1A–1AA | GU16 7HF (UK)")
        + ("１００", "〒1000001"),
        INVISIBLE: ("EC1A\u200b1BB",),
        MD5_HASHED: (AN_MD5,),
        LOST_ZERO: (("2134", "US"), ("9403", "US")),
        NO_CODE: ("00000",),
        NO_US_ZIP: (("94", "US"), ("A94035", "US")),
        EMPTY: ("-", "--", " "),
        EMPTY_WORD: ("?", "n/a", "0"),
        NOTHING: ("",),
    },
    "country": {
        SAME: forms(
            *words(
                "US GB DE FR IT ES PT NL BE AT CH SE NO DK FI PL CZ SK HU RO BG GR TR RU"
                " UA IL AE SA EG ZA NG KE IN CN JP KR SG MY TH VN ID PH AU NZ BR AR MX CL"
                " CO PE CA IE LU TW HK BQ CW SX SS AX"
            )
        )
        + ("U.S.", " u-s ", "na", JOE),
        US_NAME: ("United States", "USA", "united states of america"),
        KOSOVO: ("XK",),
        COUNTRY_NAME: words("Germany Deutschland México UK DEU EL TP ＤＥ"),
        NO_CODE: ("D E", "us1", "n/a"),
        MD5: (AN_MD5,),
        NOTHING: ("", " ") + words("Narnia ZZ EU AN 001 GB-ENG America SU XX"),
    },
}


def load_normalizer():
    """Return the one class that is needed; the rest imports what is not here."""
    spec = importlib.util.spec_from_file_location("meta_normalize", NORMALIZER)
    module = importlib.util.module_from_spec(spec)
    with patch.object(sys, "path", [str(FOLDER), *sys.path]):
        spec.loader.exec_module(module)
    return module.Normalize


class TestDifferential(BaseCase):
    def ours(self, key, text, country):
        user_data = {"country": country, key: text}
        return read_user_data("user_data", user_data, None, Problems()).get(key)

    def theirs(self, key, text):
        try:
            return self.normalizer.normalize_field(key, text)
        except (TypeError, ValueError):
            return None

    def outcome(self, key, text, country):
        ours, theirs = self.ours(key, text, country), self.theirs(key, text)
        if ours and theirs:
            return EQUAL if ours == theirs else DIFFER
        return OURS if ours else THEIRS if theirs else NEITHER

    def test_digests_are_those_of_metas_library_or_differ_for_a_reason(self):
        if not NORMALIZER.exists():
            self.skipTest("there is no facebook_business: `make test-core` gets it")
        self.normalizer = load_normalizer()
        total = Counter()
        for key, verdicts in CASES.items():
            counts = Counter()
            for verdict, cases in verdicts.items():
                for case in cases:
                    text, country = case if isinstance(case, tuple) else (case, None)
                    outcome = self.outcome(key, text, country)
                    counts[outcome] += 1
                    with self.subTest(key=key, text=text, country=country):
                        self.assertEqual(outcome, verdict.outcome, verdict.reason)
            self.report(key, counts)
            total += counts
        self.report("all", total)

    def report(self, key, counts):
        parts = [f"{counts[EQUAL] + counts[DIFFER]} compared"]
        parts += [f"{counts[name]} {name}" for name in (EQUAL, DIFFER, OURS, THEIRS)]
        print(f"facebook_business, {key}: {', '.join(parts)}")

    def test_no_input_has_two_verdicts(self):
        for key, verdicts in CASES.items():
            cases = Counter(case for found in verdicts.values() for case in found)
            twice = [case for case, count in cases.items() if count > 1]
            self.assertEqual(twice, [], key)
