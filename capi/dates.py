"""Reading the day that somebody was born on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache

from .text import fold

# YYYYMMDD, or three groups of digits; a time of day may follow.
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:t.*)?")
_TIME = re.compile(r"(?<=[0-9])(?:t|\s+)[0-9]{1,2}:[0-9]{2}.*$")
_NUMBERS = re.compile(r"[0-9]+")
_BETWEEN = re.compile(r"[\s\-‐-―/.,年月日년월일號号]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
# "the 16th", "2nd", "1er", "1º"
_ORDINAL = re.compile(r"(?<=[0-9])(?:st|nd|rd|th|er|re|ère|e|de|te|ter|[ºª°])\b")

# Where the month comes first in figures, and where both orders are in use.
_MONTH_FIRST = frozenset("as fm gu mh mp pw um us vi".split())
_EITHER_FIRST = frozenset("ca ke ph pr".split())

# Tried one after the other, as those of ``countries``.
_LANGUAGES = (
    "en",
    "de fr es pt nl it pl ar",
    "sv da nb fi is cs sk sl hr sr bs mk bg ru uk be hu ro et lv lt el tr az sq ca eu"
    " gl he fa vi id ms",
)


def read_day(text: str, country: str | None = None) -> date | None:
    """Return the one day that a text can mean, or None.

    :param text: in lower case, its digits those of ASCII
    :param country: the person's, in lower case: whether day or month comes first

    >>> read_day("1997-2-16"), read_day("16 feb 1997") == read_day("1997年2月16日")
    (datetime.date(1997, 2, 16), True)
    >>> read_day("1/2/1997", "de"), read_day("1/2/1997")
    (datetime.date(1997, 2, 1), None)
    """
    if match := _COMPACT.fullmatch(text):
        return _only([match.groups()])
    text = _ORDINAL.sub("", _TIME.sub("", text))
    numbers = _NUMBERS.findall(text)
    words = _WORD.findall(_NUMBERS.sub(" ", text))
    if len(numbers) == 2:
        return _read_with_word(numbers, words, country)
    if len(numbers) != 3 or _BETWEEN.sub("", _NUMBERS.sub("", text)):
        return None
    first, second, third = numbers
    if len(first) == 4:
        return _only([(first, second, third)])
    if len(third) != 4:  # of which century?
        return None
    day_first, month_first = (third, second, first), (third, first, second)
    if found := _only([day_first, month_first]):
        return found
    if country is None or country in _EITHER_FIRST:
        return None
    return _only([month_first if country in _MONTH_FIRST else day_first])


def _read_with_word(
    numbers: list[str], words: list[str], country: str | None
) -> date | None:
    """Return the day of a text that has its month in words."""
    years = [number for number in numbers if len(number) == 4]
    days = [number for number in numbers if len(number) <= 2]
    if len(years) != 1 or len(days) != 1:
        return None
    months = {month for word in words if (month := _month(word, country))}
    return _only([(years[0], str(month), days[0]) for month in months])


def _only(readings: list[tuple[str, ...]]) -> date | None:
    """Return the day that these years, months and days name, if it is one."""
    days = set()
    for reading in readings:
        try:
            days.add(date(*map(int, reading)))
        except ValueError:  # the thirteenth month, or the like
            continue
    return days.pop() if len(days) == 1 else None


def _month(word: str, country: str | None) -> int | None:
    """Return the month that a word means to people of that country.

    To anybody else it is the English one, or the one that all other languages mean.
    """
    english, *others = _LANGUAGES
    for languages in (_spoken_in(country), english):
        if month := _months_by_name(languages).get(fold(word)):
            return month
    months = (_months_by_name(languages).get(fold(word)) for languages in others)
    found = set(filter(None, months))
    return found.pop() if len(found) == 1 else None


@cache
def _spoken_in(country: str | None) -> str:
    """Return the official languages of a country, separated by spaces."""
    from babel.languages import get_official_languages

    return " ".join(get_official_languages((country or "").upper(), de_facto=True))


@cache
def _months_by_name(languages: str) -> dict[str, int]:
    """Return the months by what they are called in these languages.

    Made when a word turns up that is not found before. What is one month here and
    another there, such as the Slavic *listopad*, is none.
    """
    months: dict[str, set[int]] = {}
    for name, month in _names(languages):
        key = fold(name)
        if len(key) > 2:
            months.setdefault(key, set()).add(month)
            months.setdefault(key[:3], set()).add(month)
    return {name: found.pop() for name, found in months.items() if len(found) == 1}


def _names(languages: str) -> Iterator[tuple[str, int]]:
    # The server brings it.
    from babel import Locale, UnknownLocaleError

    for language in languages.split():
        try:
            locale = Locale.parse(language)
        except UnknownLocaleError:
            continue
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for month, name in locale.months[context][width].items():
                    yield name, month
