"""Reading what a caller hands over, which may be anything at all.

The readers return what can be stored and sent as JSON, made of Python's own types, or
raise ``InvalidParameter``. None of them calls a method of a value of an unknown kind:
its ``__str__`` may hold personal data, or fail.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

import phonenumbers

from .const import MAX_INTEGER, MAX_PROBLEMS, MAX_TEXT_LENGTH
from .errors import InvalidParameter, PersonalData

# PostgreSQL refuses the one, UTF-8 the others.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# One character before the sign is enough, and keeps the search linear. "@2x." is not
# an address: pictures for sharp screens are called so.
_EMAIL = re.compile(r"[^\s@](?:@|%40)(?!\dx\.)[\w-]+\.[^\W\d_]")
_PLUS_SIGN = re.compile("%2b|＋", re.IGNORECASE)
# Not one with a letter or digit before its plus: that is a product's code.
_PHONE = re.compile(r"(?<!\w)\+(?:[\s()./\-‐-―]{0,3}\d){8,15}")
_NO_DIGIT = re.compile(r"\D")
# A text of nothing but what is almost a number has to end.
_MAX_PHONES = 1000
# Looking a number up takes its time, so those that no country has are passed over before.
_MAX_LOOKED_UP = 20
_MIN_DIGITS = 8
_PLAIN_KEY = re.compile(r"[A-Za-z_]{1,40}")
_SPECIAL = re.compile(r"[^\w-]")
_DIGITS = re.compile(r"\d{5,}")


class Problems(list[InvalidParameter]):
    """What is wrong with one event, in the order it was found.

    ``left_out`` is what could not be read and can be done without: the event is sent
    without it.
    """

    def __init__(self, problems: Iterable[InvalidParameter] = ()) -> None:
        super().__init__(problems)
        self.left_out: list[InvalidParameter] = []

    def note(self, field: str, reason: str) -> None:
        """Add a problem, unless there are so many that one more tells nothing."""
        if len(self) < MAX_PROBLEMS:
            self.append(InvalidParameter(field, reason))

    def leave_out(self, field: str, reason: str) -> None:
        """Add what the event is sent without; as ``note``."""
        if len(self.left_out) < MAX_PROBLEMS:
            self.left_out.append(InvalidParameter(field, f"{reason}; it is left out"))

    def read(
        self, field: str, reader: Callable[..., Any], *args: Any, default: Any = None
    ) -> Any:
        """Return ``reader(*args)``, or note why it failed and return ``default``.

        A value may be of a class whose methods raise whatever they like: that, too,
        makes ``field`` unreadable and nothing else.
        """
        # Dozens of times for each event: a try here, and the rest where it fails.
        try:
            return reader(*args)
        except Exception as error:
            self._explain(self.note, field, error)
        return default

    def read_optional(
        self, field: str, reader: Callable[..., Any], *args: Any, default: Any = None
    ) -> Any:
        """Read like ``read`` what the event can be sent without."""
        try:
            return reader(*args)
        except Exception as error:
            self._explain(self.leave_out, field, error)
        return default

    def _explain(
        self, add: Callable[[str, str], None], field: str, error: Exception
    ) -> None:
        if isinstance(error, PersonalData):
            self.note(error.field, error.reason)
        elif isinstance(error, InvalidParameter):
            add(error.field, error.reason)
        else:  # not chained: it may quote the value
            add(field, f"cannot be read ({shown(type(error).__name__)})")

    def concern(self, field: str) -> bool:
        """Tell whether ``field``, a part of it or the whole of it has a problem."""
        return any(
            f"{problem.field}.".startswith(f"{field}.")
            or f"{field}.".startswith(f"{problem.field}.")
            for problem in self
        )


def is_absent(value: object) -> bool:
    """Tell whether a value is None or that of an empty field: False, ``""``."""
    # By type, not by isinstance or ==: those ask the value, and it may be anything.
    if type(value) is str:
        return not value
    if value is None or value is False:
        return True
    return issubclass(type(value), str) and not str.__len__(value)  # type: ignore[arg-type]


def read_text(field: str, value: object, limit: int = MAX_TEXT_LENGTH) -> str:
    """Return a text as it is, if it can be stored and is no longer than ``limit``."""
    if not isinstance(value, str):
        raise InvalidParameter(field, "must be a text")
    text = str.__str__(value)  # not a subclass's own
    if len(text) > limit:
        raise InvalidParameter(field, f"is longer than {limit} characters")
    if not text.isprintable() and _UNSTORABLE.search(text):
        raise InvalidParameter(field, "contains characters that cannot be stored")
    return text


def start_of(text: str, limit: int = MAX_TEXT_LENGTH) -> str:
    """Return as much of a text as can be stored, and as ``limit`` has room for."""
    return _UNSTORABLE.sub("", text[: 2 * limit])[:limit]


def read_public_text(field: str, value: object, limit: int = MAX_TEXT_LENGTH) -> str:
    """Return a text that travels unhashed, so must hold no e-mail address or phone."""
    text = read_text(field, value, limit)
    if has_email(text):
        raise PersonalData(
            field, "contains an e-mail address: pass it as user_data's em"
        )
    if has_phone(text):
        raise PersonalData(field, "contains a phone number: pass it as user_data's ph")
    return text


def has_email(text: str) -> bool:
    """Tell whether a text holds an e-mail address, also as part of a URL.

    >>> has_email("from jane@example.com"), has_email("?to=jane%40example.com")
    (True, True)
    >>> has_email("3 apples@2.50"), has_email("/logo@2x.png")
    (False, False)
    """
    return ("@" in text or "%40" in text) and _EMAIL.search(text) is not None


def has_phone(text: str) -> bool:
    """Tell whether a text holds a phone number in international form, with its plus.

    Only a number that exists counts, and one that stands by itself: prices, dates and
    product codes are no phone numbers. Nor is a national number told from those. A text
    that is full of what could be one is taken to hold one.

    >>> has_phone("call +49 30 901820"), has_phone("+1 (650) 555-1212")
    (True, True)
    >>> has_phone("+100 000.00"), has_phone("SET+4930901820"), has_phone("030 901820")
    (False, False, False)
    """
    if "+" not in text and "%" not in text and text.isascii():
        return False
    plausible = filter(_is_in_some_plan, _candidates(text))
    looked_up = list(islice(plausible, _MAX_LOOKED_UP))
    return len(looked_up) == _MAX_LOOKED_UP or any(map(_is_phone, looked_up))


def phone_like_count(text: str, limit: int) -> int:
    """Return how many parts of a text look like phone numbers, ``limit`` at most.

    >>> phone_like_count("+4930901820, +4930901821", 9), phone_like_count("+49 30", 9)
    (2, 0)
    """
    return sum(1 for _match in islice(_matches(text), limit))


def _matches(text: str) -> Iterator[re.Match[str]]:
    if "+" not in text and "%" not in text and "＋" not in text:
        return iter(())
    return _PHONE.finditer(_PLUS_SIGN.sub("+", text))


def _candidates(text: str) -> Iterator[str]:
    """Yield what may be a phone number: what follows it may be a number as well."""
    for match in islice(_matches(text), _MAX_PHONES):
        found = match[0]
        digits = sum(map(str.isdecimal, found))
        following = match.string[match.end() : match.end() + 1]
        for end in range(len(found), 0, -1):
            if digits < _MIN_DIGITS:
                break
            if found[end - 1].isdecimal():
                if not following.isdecimal():
                    yield found[:end]
                digits -= 1
            following = found[end - 1]


def _is_in_some_plan(text: str) -> bool:
    """Tell whether a country's numbers look like this one."""
    digits = _NO_DIGIT.sub("", text)
    if digits.startswith("0"):
        return False
    digits = str(int(digits))  # which may be those of any script
    for length in (1, 2, 3):  # no country code begins with another
        country_code = int(digits[:length])
        if country_code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return _plan_of(country_code).match(digits[length:]) is not None
    return False


@cache
def _plan_of(country_code: int) -> re.Pattern[str]:
    """Return what matches the numbers of a country, also where 0 is written before."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[country_code]
    metadata: list[Any] = [
        phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(
            country_code, region
        )
        for region in regions
    ]
    forms = [f"(?:{one.general_desc.national_number_pattern})$" for one in metadata]
    # Of the country that the others share their code with.
    if metadata[0].national_prefix_for_parsing:
        forms.append(metadata[0].national_prefix_for_parsing)
    return re.compile("|".join(f"(?:{form})" for form in forms))


def _is_phone(text: str) -> bool:
    try:
        number = phonenumbers.parse("+" + _NO_DIGIT.sub("", text))
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


def read_number(field: str, value: object) -> int | float:
    """Return a finite number; a Decimal as the nearest float, which prints the same."""
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > MAX_INTEGER:
            raise InvalidParameter(field, "is too large a number")
        return int.__int__(value)  # not a subclass's own
    if isinstance(value, float):
        number = float.__float__(value)
    elif isinstance(value, Decimal) and value.is_finite():
        number = float(value)
    else:
        raise InvalidParameter(field, "must be a number")
    if math.isfinite(number):
        return number
    raise InvalidParameter(field, "must be a finite number")


def read_id(field: str, value: object) -> str:
    """Return an id as text; a database's are whole numbers, if with a point."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = read_number(field, value)
        if number != int(number):
            raise InvalidParameter(field, "must be a text or a whole number")
        return str(int(number))
    text = read_public_text(field, value)
    if not text.strip():
        raise InvalidParameter(field, "is empty")
    return text


def read_mapping(field: str, value: object) -> dict[str, Any]:
    """Return a mapping as a dictionary of our own, its keys plain texts."""
    # A dictionary is known as one faster than as a mapping.
    if not isinstance(value, (dict, Mapping)):
        raise InvalidParameter(field, "must be a dictionary")
    given = dict(value)
    if set(map(type, given)) <= {str}:
        return given
    mapping = {}
    for key, content in given.items():
        if not isinstance(key, str):
            raise InvalidParameter(field, "has a key that is not a text")
        mapping[str.__str__(key)] = content
    return mapping


def shown(key: str) -> str:
    """Return an unknown key such that it can be printed and tells nothing personal.

    >>> shown("first name"), shown("jane@example.com"), shown("+4930901820")
    ('first_name', '?', '_#')
    """
    if _PLAIN_KEY.fullmatch(key):
        return key
    if not key or "@" in key:
        return "?"
    return _DIGITS.sub("#", _SPECIAL.sub("_", key[:40]))
