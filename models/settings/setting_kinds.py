"""The kinds of settings: what is stored, checked and shown of each."""

from dataclasses import KW_ONLY, dataclass
from datetime import date

from odoo import fields

from ...capi import const
from ...capi.client import GraphClient
from ...capi.errors import InvalidParameter
from ...capi.secret import clean_secret

PREFIX = "meta_capi."
_YES = ("True", "true", "1")
_NO = ("False", "false", "0")


@dataclass(frozen=True, eq=False)
class Setting:
    """A setting, stored as text in a System Parameter and, of its own, by a website.

    :param name: of the key after ``meta_capi.``, and of the fields after ``meta_capi_``
    :param label: of its fields
    :param help: of its field in the settings
    :param default: what is read where nothing is stored
    :param is_per_website: a website may have a value of its own
    :param resumes: a stopped pixel may have been waiting for another value
    """

    name: str
    _: KW_ONLY
    label: str = ""
    help: str = ""
    default: object = ""
    is_per_website: bool = False
    resumes: bool = False

    is_secret = False

    @property
    def key(self):
        return PREFIX + self.name

    @property
    def field_name(self):
        return f"meta_capi_{self.name}"

    def check(self, text):
        """Return ``text`` as it is to be stored; empty takes the value away.

        :raise InvalidParameter: it cannot be used
        """
        text = text.strip()
        return self._checked(text) if text else text

    def _checked(self, text):
        return text

    def _refuse(self, reason):
        raise InvalidParameter(self.key, reason)

    def parse(self, text):
        """Return the value that ``text`` stands for, stripped or empty."""
        return text or self.default

    def shown(self, text):
        """Return what the settings page shows for what is stored."""
        return text

    def stored(self, value):
        """Return the text that a field's value is stored as."""
        return str(value) if value else ""

    def settings_field(self, **options):
        """Return the field of the settings page."""
        return fields.Char(self.label, help=self.help or None, **options)

    def website_field(self):
        """Return the field for a website's own value; empty, the common one counts."""
        return self._website_field(
            string=self.label,
            help=self.help or None,
            groups="base.group_system",
            copy=False,
        )

    def _website_field(self, **options):
        return fields.Char(**options)


class Digits(Setting):
    """An ID of Meta's."""

    def _checked(self, text):
        if not (text.isascii() and text.isdigit()):
            self._refuse("must be digits only")
        return text


class Ids(Setting):
    """IDs, separated by commas; read as a tuple."""

    def _checked(self, text):
        ids = split(text)
        if not all(number.isascii() and number.isdigit() for number in ids):
            self._refuse("must be IDs, digits separated by commas")
        return ",".join(ids)

    def parse(self, text):
        return split(text)


class Names(Setting):
    """Names, separated by commas; read as a tuple."""

    def _checked(self, text):
        if any(len(name) > const.MAX_NAME_LENGTH for name in split(text)):
            self._refuse(f"must be names of up to {const.MAX_NAME_LENGTH} characters")
        return text

    def parse(self, text):
        return split(text) or self.default


@dataclass(frozen=True, eq=False)
class NamesAmong(Names):
    """Some of a few names."""

    _: KW_ONLY
    choices: tuple

    def _checked(self, text):
        if not set(split(text)) <= set(self.choices):
            self._refuse(f"must be names among {', '.join(self.choices)}")
        return text


class Secret(Setting):
    """What no log may show."""

    is_secret = True

    def _checked(self, text):
        text = clean_secret(text)
        if any(map(str.isspace, text)):
            self._refuse("must not contain white space")
        if not text.isascii():
            self._refuse("must be letters and digits")
        return text


class Token(Secret):
    def _checked(self, text):
        text = super()._checked(text)
        if text.isdigit():
            self._refuse("is digits only, like a pixel ID")
        return text


class TestCode(Setting):
    def _checked(self, text):
        if not text.isprintable() or any(map(str.isspace, text)):
            self._refuse("must not contain white space")
        if len(text) > const.MAX_NAME_LENGTH:
            self._refuse(f"must be of up to {const.MAX_NAME_LENGTH} characters")
        return text


class GraphUrl(Setting):
    def _checked(self, text):
        GraphClient(graph_url=text)
        return text


class ApiVersion(Setting):
    def _checked(self, text):
        GraphClient(api_version=text)
        return text


@dataclass(frozen=True, eq=False)
class Integer(Setting):
    """A whole number; what is less than ``minimum`` counts as that."""

    _: KW_ONLY
    minimum: int | None = None

    def _checked(self, text):
        try:
            int(text)
        except ValueError:
            self._refuse("must be a whole number")
        return text

    def parse(self, text):
        try:
            number = int(text)
        except ValueError:
            return self.default
        return number if self.minimum is None else max(self.minimum, number)


class Day(Setting):
    """A date; read as one, or False."""

    def _checked(self, text):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            return self._refuse("must be a date such as 2027-01-31")

    def parse(self, text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return False


@dataclass(frozen=True, eq=False)
class Choice(Setting):
    """One of a few.

    :param choices: their labels
    :param fallback: what counts where the text is none of them; else the default
    """

    _: KW_ONLY
    choices: dict
    fallback: str = ""

    def _checked(self, text):
        if text not in self.choices:
            self._refuse(f"must be one of {', '.join(self.choices)}")
        return text

    def parse(self, text):
        if text and text not in self.choices:
            return self.fallback or self.default
        return text or self.default

    def shown(self, text):
        return self.parse(text)

    def settings_field(self, **options):
        return fields.Selection(
            list(self.choices.items()), self.label, help=self.help or None, **options
        )

    def _website_field(self, **options):
        return fields.Selection(list(self.choices.items()), **options)


@dataclass(frozen=True, eq=False)
class Switch(Setting):
    """On or off. What is off by default is so unless it says yes, whatever it says."""

    _: KW_ONLY
    default: bool = False

    def _checked(self, text):
        if self.default and text not in _YES + _NO:
            self._refuse(f"must be one of {', '.join(_YES + _NO)}")
        return text

    def parse(self, text):
        return text not in _NO if self.default else text in _YES

    def shown(self, text):
        return self.parse(text)

    def stored(self, value):
        # A website's own is text already, so that no, too, is a value.
        return str(value)

    def settings_field(self, **options):
        return fields.Boolean(self.label, help=self.help or None, **options)

    def _website_field(self, **options):
        # No, too, is a value of its own.
        return fields.Selection([("True", "On"), ("False", "Off")], **options)


def split(names):
    """Return the names of a list that is written with commas, a tuple."""
    return tuple(name.strip() for name in names.split(",") if name.strip())
