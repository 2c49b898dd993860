"""Reading a phone number as people write it, into the one form that Meta compares.

The library phonenumbers knows which numbers exist; what is here decides which of them
a text means, and leaves it where two may be meant: a wrong number is somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import phonenumbers
from phonenumbers import (
    CountryCodeSource,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from .countries import region_of
from .text import compatible

# Without words, or a sign between two numbers.
_PLAIN = re.compile(r"\+?[0-9 ()-]+")
# Whatever else is written between digits ends a number: words, for letters are never
# dialled, and signs such as the comma before an extension.
_BETWEEN = re.compile(r"[^0-9+\s()\[\]./\\_·'‐-―−-]+|\n+|(?=\+)")
_PARTS = re.compile(r"[/\\]|\s[‐-―−-]\s")
# "901820/21" is two numbers, told by their last digits.
_LAST_DIGITS = re.compile(r"\s*/\s*[0-9]{1,2}\s*$")
_OTHER_SEPARATOR = re.compile(r"[0-9)][^0-9/]+[0-9]")
_GROUP = re.compile(r"[0-9]+")
_NO_DIGIT = re.compile(r"[^0-9]+")
_PLUS = re.compile(r"[\s(\[]*\+")
# As spreadsheets write a number: "491711234567.0", "4.91711E+11".
_EXPORTED = re.compile(r"(?<=[0-9]{6})\.0$")
_ROUNDED = re.compile(r"[0-9][.,][0-9]+e\+?[0-9]+", re.IGNORECASE)
# Brazil's way to say that any long-distance company will do.
_ANY_CARRIER = re.compile(r"\b0xx(?=[\s(]*[0-9]{2})")
# Fewer digits after a number are its extension.
_MIN_SECOND = 7
# What people type who do not want to be called, beside one digit again and again.
_COUNTED = "1234567890"
# Where the trunk prefix exists, yet many numbers are written without it.
_TRUNK_OFTEN_OMITTED = frozenset(("IN", "TR"))
# Mexico, until 2019: a mark of mobile numbers after the country code, and the ways to
# dial one, or another town, inside the country.
_MEXICAN_MOBILE = re.compile(r"521([0-9]{10})")
_MEXICAN_DIALLED = re.compile(r"(?:01|04[45])([0-9]{10})")


def normalize_phones(value: object, country: str | None = None) -> list[str]:
    """Return the numbers of a text, each the digits of its international form.

    :param country: ISO 3166-1 alpha-2 of the country to read a national number in.
        Without one, only a number that tells its country is readable.

    The trunk zero, the extension and the words around a number are no part of it. A
    number that begins with ``+`` or ``00`` and stands alone need only be of a possible
    length, because the library may not yet know a new range; any other has to be valid.

    Digits that are a valid number when a country code is read into them are read so,
    where people would dial a zero before a national number. Where they would not, as in
    the US, such digits are dropped unless they are grouped as one of the two is: a guess
    would give a hash that looks right and matches somebody else.

    >>> normalize_phones("+1 (650) 555-1212"), normalize_phones("030 901820")
    (['16505551212'], [])
    >>> normalize_phones("030 901820 App. 15 / +44 7911 123456 (mobile)", "DE")
    ['4930901820', '447911123456']
    """
    text = _EXPORTED.sub("", compatible(value))
    if _ROUNDED.fullmatch(text):
        return []
    region = region_of(country)
    if _PLAIN.fullmatch(text):
        found = _read(text, region, exists=False)
        return [found] if found else []
    if "0xx" in text:
        text = _ANY_CARRIER.sub("0", text)
    pieces = [piece for piece in _BETWEEN.split(text) if re.search("[0-9]", piece)]
    numbers: list[str] = []
    for piece in pieces:
        for found in _read_piece(piece, region, exists=len(pieces) > 1):
            if not numbers or len(_NO_DIGIT.sub("", piece)) >= _MIN_SECOND:
                numbers.append(found)
    return list(dict.fromkeys(numbers))


def _read_piece(piece: str, region: str | None, *, exists: bool) -> Iterator[str]:
    """Yield the numbers of a text without words: one, or some with a sign between."""
    parts = [part for part in _PARTS.split(piece) if part.strip()]
    if len(parts) > 1:
        found = [
            len(_NO_DIGIT.sub("", part)) >= _MIN_SECOND
            and _read(part, region, exists=True)
            for part in parts
        ]
        if all(found):
            yield from filter(None, found)
            return
        head = _LAST_DIGITS.sub("", piece)
        if head != piece and _read(head, region, exists=True):
            if len(parts) > 2 or not _OTHER_SEPARATOR.search(piece):
                # Or are they groups, all separated by the same sign?
                return
            piece = head
    if number := _read(piece, region, exists=exists):
        yield number


def _read(text: str, region: str | None, *, exists: bool) -> str | None:
    """Return the one number that these digits can mean, or None.

    :param exists: the number has to be in use for all that is known. Else, one that
        tells its country need only be of a possible length, because the library may
        not yet know a new range.
    """
    digits = _NO_DIGIT.sub("", text)
    if _PLUS.match(text):
        number = digits[2:] if digits.startswith("00") else digits
        return _international(number, exists=exists)
    if digits.startswith("00"):
        return _dialled_abroad(digits, region, exists=exists)
    if not region:
        return _of_unknown_country(digits)
    national, is_abroad = _national(digits, region)
    if is_abroad or digits.startswith("0"):
        # No country's code begins so.
        return national or _behind_a_zero(digits, region)
    if national and not _may_begin_with_code(text, region):
        return national
    international = _international(digits, exists=True)
    if not national or not international or national == international:
        return national or international
    return _choose(text, national, international, region)


def _may_begin_with_code(text: str, region: str) -> bool:
    """Tell whether the first digits may be a country code, by how they are grouped."""
    groups = _GROUP.findall(text)
    return (
        len(groups) == 1
        or _dials_zero(region)
        or int(groups[0]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    )


@cache
def _dials_zero(region: str) -> bool:
    """Tell whether the numbers of a country begin with a zero inside it."""
    return phonenumbers.ndd_prefix_for_region(region, True) == "0"


def _choose(text: str, national: str, international: str, region: str) -> str | None:
    """Return which of two numbers is meant by digits that can be either.

    Where people dial a prefix before a national number, it would be there, unless the
    digits are grouped as at home, or are a mobile number whose zero a spreadsheet may
    have taken. Where they do not, the first group of the digits tells, if they are
    written in groups.
    """
    first, *others = _GROUP.findall(text)
    at_home = _first_group(national)
    if at_home.startswith("0") and region not in _TRUNK_OFTEN_OMITTED:
        if not others:
            is_doubtful = _is_mobile(national) and not _is_mobile(international)
            return None if is_doubtful else international
        is_as_at_home = first == at_home.lstrip("0")
        if is_as_at_home and not _begins(international, first):
            return national
        return international
    if not others:
        return None
    if not _begins(international, first):
        return national
    return None if first == at_home else international


def _is_mobile(international: str) -> bool:
    number = _parse(f"+{international}")
    return (
        number is not None
        and phonenumbers.number_type(number) == PhoneNumberType.MOBILE
    )


def _begins(international: str, group: str) -> bool:
    """Tell whether a group of digits is a number's country code."""
    number = _parse(f"+{international}")
    return number is not None and group == str(number.country_code)


def _first_group(national: str) -> str:
    """Return the first group of the digits that a number is dialled by at home."""
    number = _parse(f"+{national}")
    if number is None:
        return ""
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return re.split("[^0-9]+", written.lstrip("("))[0]


def _of_unknown_country(digits: str) -> str | None:
    """Return a number written as Meta wants it: with country code, without plus.

    Ten digits may be a number of North America, where nobody writes the code.
    """
    number = _international(digits, exists=True)
    if number and len(digits) == 10 and _national(digits, "US")[0]:
        return None
    return number


def _dialled_abroad(digits: str, region: str | None, *, exists: bool) -> str | None:
    """Return a number that begins with two zeros, or with the country's own way."""
    common = _international(digits[2:], exists=exists)
    if not region:
        return common
    own, _is_abroad = _national(digits, region)
    if not own or own == common:
        return common
    if common and _international(digits[2:], exists=True):
        return None
    return own


def _behind_a_zero(digits: str, region: str) -> str | None:
    """Return a number to which a zero was added, though it has its country code."""
    number = _international(digits[1:], exists=True)
    code = str(phonenumbers.country_code_for_region(region))
    return number if number and number.startswith(code) else None


def _national(digits: str, region: str) -> tuple[str | None, bool]:
    """Return what somebody in that country reaches by these digits, if anybody.

    Also whether the digits begin with the country's own way to dial abroad.
    """
    if region == "MX" and (match := _MEXICAN_DIALLED.fullmatch(digits)):
        digits = match[1]
    number = _parse(digits, region)
    if number is None or not phonenumbers.is_valid_number(number):
        return None, False
    if _is_placeholder(number):
        return None, False
    source = number.country_code_source
    return _digits(number), source == CountryCodeSource.FROM_NUMBER_WITH_IDD


def _international(digits: str, *, exists: bool) -> str | None:
    """Return the number that begins with a country code, if there can be one."""
    if match := _MEXICAN_MOBILE.fullmatch(digits):
        digits = f"52{match[1]}"
    number = _parse(f"+{digits}")
    if number is None or _is_placeholder(number):
        return None
    if exists:
        is_one = phonenumbers.is_valid_number(number)
    else:
        reason = phonenumbers.is_possible_number_with_reason(number)
        is_one = reason == ValidationResult.IS_POSSIBLE
    return _digits(number) if is_one else None


def _parse(text: str, region: str | None = None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region, keep_raw_input=region is not None)
    except phonenumbers.NumberParseException:
        return None


def _is_placeholder(number: PhoneNumber) -> bool:
    digits = str(number.national_number)
    return len(set(digits)) == 1 or digits == _COUNTED


def _digits(number: PhoneNumber) -> str:
    significant = phonenumbers.national_significant_number(number)
    return f"{number.country_code}{significant}"
