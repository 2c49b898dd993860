"""The text that a person meant, without what keyboards and programs add to it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

# What people and programs write into a field that they have to fill in.
EMPTY_WORDS = frozenset(
    "- -- . 0 ? false n/a n.a. nil none null undefined unknown".split()
)

_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")
# Copied along with text and never seen: what Unicode lists as
# Default_Ignorable_Code_Point, such as soft hyphens, direction marks and variation
# selectors; and the marks that enclose a character, such as a keycap.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u0488\u0489\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1abe"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20dd-\u20e0\u20e2-\u20e4\u3164"
    "\ua670-\ua672\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Letters by Unicode's count, of which one person's name is written with and without:
# apostrophes and other signs that modify a letter, and the stroke that only stretches
# an Arabic word.
_NO_LETTER = re.compile("[\u02b9-\u02ff\u0640\u07fa\ua788\ua78b\ua78c]")
# What Unicode makes of the Turkish capital with a dot: an i with a second dot, which
# no keyboard writes.
_DOTTED_I = re.compile("i\u0307+")


def clean(value: object) -> str:
    """Return the text that was meant, in lower case; empty if there is none.

    The Turkish ``İ`` becomes ``i``, as it does in Turkish. ``ı`` stays, and so does the
    ``i`` that is made of ``I``: whether that one is Turkish, the text does not tell.

    >>> clean("İzmir "), clean("Işık"), clean("ışık")
    ('izmir', 'işık', 'ışık')
    """
    if not isinstance(value, str):
        return ""
    if not value.isprintable() and _UNREADABLE.search(value):
        return ""
    text = value.lower()
    if not text.isascii():
        text = _undotted(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)))
    text = text.strip()
    return "" if text in EMPTY_WORDS else text


def compatible(value: object) -> str:
    """Return ``clean`` text in the characters that others write it with.

    Unicode's form NFKC: half-width and full-width forms, ligatures and the forms that
    an Arabic letter takes inside a word are the letters themselves. It is for what has
    one spelling: addresses, numbers, codes. The decimal digits of all scripts become
    those of ASCII.

    >>> compatible("Ｊａｎｅ＠example.com"), compatible("٠٣٠")
    ('jane@example.com', '030')
    """
    text = clean(value)
    if text.isascii():
        return text
    text = _nfkc(text)
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text
    ).strip()


def squeeze(text: str, *, digits: bool) -> str:
    """Return the letters of ``clean`` text, with or without its digits.

    NFKC is applied to letters, marks and digits only: of a symbol, such as ™, it would
    make letters that nobody wrote.
    """
    kept = _only_letters(text, digits)
    if kept.isascii() or unicodedata.is_normalized("NFKC", kept):
        return kept
    return _only_letters(_nfkc(kept), digits)


def _only_letters(text: str, digits: bool) -> str:
    if text.isascii():
        return "".join(filter(str.isalnum if digits else str.isalpha, text))
    if text.isalpha() and not _NO_LETTER.search(text):
        return text
    return "".join(
        char for char in text if is_letter(char) or (digits and char.isnumeric())
    )


def codes_by_name(names: Mapping[str, str]) -> dict[str, str]:
    """Return a code for each name, of the names for each code, separated by spaces.

    >>> codes_by_name({"gb": "uk britain", "nl": "holland"})
    {'uk': 'gb', 'britain': 'gb', 'holland': 'nl'}
    """
    return {name: code for code, alike in names.items() for name in alike.split()}


def fold(text: str) -> str:
    """Return the letters of a text without accents: what a table of names is read by.

    >>> fold("Nouvelle-Écosse"), fold("Hawaiʻi")
    ('nouvelleecosse', 'hawaii')
    """
    if text.isascii():
        return "".join(filter(str.isalpha, text.lower()))
    # The Turkish letter without a dot is the i of everybody else's capitals.
    text = _nfkc(_INVISIBLE.sub("", text)).replace("ı", "i")
    kept = unicodedata.normalize("NFKD", text)
    return "".join(
        char for char in kept if char.isalpha() and not _NO_LETTER.match(char)
    )


def is_letter(char: str) -> bool:
    """Tell whether a character is a letter, or a mark that belongs to one.

    Many scripts write their vowels as marks, which ``str.isalpha`` does not count.
    """
    if char.isalpha():
        return not _NO_LETTER.match(char)
    return unicodedata.category(char)[0] == "M"


def _nfkc(text: str) -> str:
    """Return NFKC in lower case: some capitals show up by it only."""
    lowered = unicodedata.normalize("NFKC", text).lower()
    return _undotted(unicodedata.normalize("NFKC", lowered))


def _undotted(text: str) -> str:
    """Return a text whose every i has one dot; it is in a composed form."""
    if "\u0307" not in text:
        return text
    return unicodedata.normalize("NFC", _DOTTED_I.sub("i", text))
