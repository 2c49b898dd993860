"""From the arguments of ``send_event`` to an event that is ready to be stored."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import psycopg2

from odoo import _, models
from odoo.exceptions import MissingError, UserError

from ...capi.browser import read_fbclid
from ...capi.causes import cause_of_field
from ...capi.const import SOURCES_WITHOUT_PAGE
from ...capi.event import ServerEvent, read_event
from ...capi.privacy import limit_data_use
from ...capi.reading import Problems, is_absent, read_mapping, start_of
from ...capi.url import sanitized_url
from ...capi.user_agent import kind_of_browser
from ...capi.user_data import by_own_names, needs_country
from ...capi.weaknesses import weaknesses
from ..common.border import log_error
from ..common.refusal import Refusal, to_refusal
from ..common.standard_events import CHECKOUT
from ..settings import setting
from .arguments import read_arguments
from .meta_capi_browser import TRACES
from .subject import ask, ask_action

# What an event may tell of a person or a device.
NOTHING_PERSONAL = {
    "user_data": {},
    "event_source_url": None,
    "referrer_url": None,
    "app_data": None,
    "attribution_data": None,
}


class InvalidEvent(UserError):
    """What ``raise_on_error`` asks for."""


@dataclass
class Draft:
    """An event on its way into the log."""

    event: ServerEvent
    columns: dict
    origin: models.BaseModel | None = None
    # Whether this is the one event of its name that can happen to its origin.
    is_natural: bool = False
    # Whether that one is known to be on record, even if its row has been purged since.
    is_recorded: bool = False
    # Pixels that get a copy of the event.
    extra_pixel_ids: tuple = ()

    @property
    def key(self):
        return self.columns["pixel_id"], self.event.event_name, self.event.event_id

    @property
    def is_failed(self):
        return self.columns.get("state") == "failed"

    @property
    def is_pending(self):
        return self.columns.get("state", "pending") == "pending"


@dataclass(frozen=True)
class _Settings:
    """What the configuration says of a website's events."""

    pixel_id: str
    extra_pixel_ids: tuple
    test_event_code: str
    withheld_user_data: frozenset
    limited_data_use: str
    sends_without_browser: bool


class EventBuilder:
    """Makes drafts of events, one after the other; the settings are read once.

    Each step returns what the next one is made of: arguments, subject, browser,
    refusal, event, row. What PostgreSQL says is let through: it wants the request
    replayed, or has ended the transaction anyway. Whatever else breaks makes the event
    invalid and breaks nothing around it.
    """

    def __init__(self, env):
        self.env = env
        self._settings = {}

    def build(self, arguments, at_hand=None):
        """Return the draft of these arguments of ``send_event``; None without a pixel.

        :param at_hand: the snapshot of the request at hand, where it is what its visitor
            does
        :raise InvalidEvent: if the arguments ask for it
        """
        problems = Problems()
        given = problems.read(
            "arguments", read_mapping, "arguments", arguments, default={}
        )
        raise_on_error = problems.read(
            "raise_on_error", bool, given.pop("raise_on_error", False)
        )
        draft = self._build_safely(given, problems, at_hand=at_hand)
        if raise_on_error and not draft:
            raise InvalidEvent(_("No Meta pixel is configured."))
        if raise_on_error and draft.is_failed:
            raise InvalidEvent(draft.columns["error_message"])
        return draft

    def build_for_action(self, action, record, needs_pixel=True):
        """Return the drafts that a server action makes of a record.

        :param needs_pixel: give None for an event that no pixel is configured for
        """
        problems = Problems()
        try:
            subjects = action._meta_capi_subjects(record.sudo())
        except psycopg2.Error:
            raise
        except Exception as error:
            subjects = record
            if not isinstance(error, MissingError):  # the draft will tell
                problems.note("origin", f"cannot be read ({type(error).__name__})")
                log_error(f"{record} could not tell what an event is about", error)
        return [
            self._build_safely(
                {"event_name": action.meta_capi_event_name, "origin": subject},
                Problems(problems),
                action=action,
                needs_pixel=needs_pixel,
            )
            for subject in subjects
        ]

    def _build_safely(self, given, problems, **options):
        try:
            return self._build(given, problems, **options)
        except psycopg2.Error:
            raise
        except Exception as error:
            # The border: what breaks here must not break the sale that is going on.
            log_error("An event could not be prepared", error)
            return self._build_bare(given)

    def _build(self, given, problems, action=None, needs_pixel=True, at_hand=None):
        """Return the draft, or None without a pixel.

        :param action: a server action that may take from fields of its own choice what
            the origin tells otherwise
        """
        arguments = read_arguments(self.env, given, problems)
        visited = self.env["meta.capi.visit"]._website()
        subject = ask(self.env, arguments, visited, problems)
        if action and arguments.origin:
            arguments, subject = ask_action(action, arguments, subject, problems)
        website = arguments.website or subject.website or visited
        settings = self._settings_of(website)
        if not settings.pixel_id and needs_pixel:
            self.env["meta.capi.config"]._warn_unconfigured(
                website.name if website else ""
            )
            return None
        company = self._company_of(subject, website)
        browser = subject.browser
        if visited:
            browser = self._choose_browser(subject, at_hand)
        refusal = self._refuse(arguments.origin, subject, browser, settings)
        parameters, own = self._complete(
            arguments.parameters, subject, browser, problems
        )
        event, weak = self._read(parameters, own, company, settings, problems)
        if arguments.is_origin_unclear and problems.concern("user_data"):
            problems.note(
                "origin", _("the action runs on several records: pass origin=order")
            )
        # Another checkout of the same cart may begin, under an id of its own.
        is_natural = (
            bool(subject.event_id)
            and event.event_id == subject.event_id
            and event.event_name != CHECKOUT
        )
        if refusal:
            event = replace(event, **NOTHING_PERSONAL)
            outcome = _cancelled(refusal)
        else:
            told = _told_of_person(event, subject.partner, parameters["user_data"])
            outcome = {**told, **_judged(event, weak, problems)}
        return Draft(
            event,
            {**_place(arguments, settings, website, company, is_natural), **outcome},
            arguments.origin,
            is_natural=is_natural,
            is_recorded=subject.is_recorded,
            extra_pixel_ids=settings.extra_pixel_ids,
        )

    def _build_bare(self, given):
        """Return what can be stored of an event that breaks the code that reads it."""
        pixel_id = self.env["meta.capi.config"]._pixel_id()
        if not pixel_id:
            return None
        kept = {key: given.get(key) for key in ("event_name", "event_id")}
        event, _refused = read_event(kept, now=time.time())
        message = _("The event could not be prepared; the server's log tells why.")
        return Draft(event, {"pixel_id": pixel_id, **failed(message, "unprepared")})

    def _company_of(self, subject, website):
        return subject.company or self.env["meta.capi.config"]._company(website)

    def _settings_of(self, website):
        key = website.id if website else None
        if key not in self._settings:
            config = self.env["meta.capi.config"]
            self._settings[key] = _Settings(
                pixel_id=config._pixel_id(website),
                extra_pixel_ids=config._extra_pixel_ids(website),
                test_event_code=config._test_event_code(website),
                withheld_user_data=config._withheld_user_data(),
                limited_data_use=config._get(setting.LIMITED_DATA_USE),
                sends_without_browser=config._get(setting.SEND_WITHOUT_BROWSER),
            )
        return self._settings[key]

    # ------------------------------------------------------- the browser, the refusal

    def _choose_browser(self, subject, at_hand):
        """Return the customer's browser: the one kept with the origin, or the request's.

        What the visitor does now is done with the browser of now. Else, the one kept is
        the customer's for certain, and the request may be somebody else's, such as the
        provider's that tells of a payment; what it can do is to give the consent that
        was missing, or to take it back.
        """
        kept = subject.browser
        visit = self.env["meta.capi.visit"]
        if at_hand:
            return kept if visit._is_on_behalf_of(subject.partner) else at_hand
        at_hand = visit._snapshot(subject.partner)
        if not kept or at_hand.get("consent") is False:
            return at_hand or kept
        if not kept.get("consent") and at_hand.get("consent"):
            return at_hand
        return kept

    def _refuse(self, origin, subject, browser, settings):
        """Return why the event must not be sent, whoever asks for it, or None."""
        if subject.partner and subject.partner._meta_capi_objects():
            return Refusal("objection", _("The customer objects to events for Meta."))
        if browser and not browser.get("consent"):
            return Refusal(
                "no_consent", _("The visitor has not consented to optional cookies.")
            )
        if origin and not browser and not settings.sends_without_browser:
            return Refusal(
                "no_browser",
                _("No browser made this document, and the settings exclude such."),
            )
        return to_refusal(subject.exclusion)

    # --------------------------------------------------------------------- the event

    def _complete(self, given, subject, browser, problems):
        """Return the parameters with what the caller left out, and the names of that.

        It comes from the origin, then from the browser, and makes no event invalid: it
        is shortened, or left out. Names of ``user_data`` are those with their key.
        """
        own = set()
        parameters = dict(given)
        page_url, referrer_url = map(browser.get, ("event_source_url", "referrer_url"))
        if subject.website and not page_url:
            page_url = self.env["meta.capi.config"]._base_url(subject.website)
        source = parameters.get("action_source")
        if is_absent(source):
            source = subject.parameters.get("action_source")
        if type(source) is str and source in SOURCES_WITHOUT_PAGE:
            page_url = referrer_url = None
        for key, value in {
            "event_time": None,
            "event_id": subject.event_id,
            "custom_data": subject.custom_data,
            "action_source": "website" if subject.website or browser else None,
            "event_source_url": sanitized_url(page_url),
            "referrer_url": sanitized_url(referrer_url),
            **subject.parameters,
        }.items():
            if is_absent(parameters.get(key)):
                parameters[key] = value
                if value is not None:
                    own.add(key)
        user_data = {}
        if not is_absent(parameters.get("user_data")):
            user_data = problems.read(
                "user_data",
                read_mapping,
                "user_data",
                parameters["user_data"],
                default={},
            )
            user_data = by_own_names(user_data)
        known = {
            **{key: start_of(browser[key]) for key in TRACES if key in browser},
            **subject.user_data,
        }
        said = {
            key: value for key, value in user_data.items() if not _says_nothing(value)
        }
        parameters["user_data"] = {**known, **said}
        own.update(f"user_data.{key}" for key in known.keys() - said.keys())
        return parameters, own

    def _read(self, parameters, own, company, settings, problems):
        """Return the event, and what of it is left out as nobody but we filled it in.

        :param own: the names of what ``_complete`` has filled in
        :param problems: takes note of what the caller has to mend
        """
        user_data = parameters["user_data"]
        country = None
        if needs_country(user_data):
            country = company.sudo().country_code or None

        def read(given):
            return read_event(
                given,
                now=time.time(),
                default_country=country,
                withheld=settings.withheld_user_data,
            )

        event, refused = read(parameters)
        left_out = [problem for problem in refused if _is_own(problem, own)]
        if left_out and event.custom_data is None:
            # It is too large: an order of thousands of lines.
            lines = _without_lines(parameters["custom_data"])
            event, refused = read({**parameters, "custom_data": lines})
        problems += [problem for problem in refused if not _is_own(problem, own)]
        event = limit_data_use(event, settings.limited_data_use, user_data)
        return event, (*left_out, *refused.left_out)


def failed(message, cause):
    """Return the columns of an event that we refuse."""
    return {
        "state": "failed",
        "failure_reason": "invalid",
        "cause": cause,
        "error_message": message,
    }


def _place(arguments, settings, website, company, is_natural):
    """Return where an event belongs: its pixel, website, company and record."""
    origin = arguments.origin
    return {
        "pixel_id": settings.pixel_id,
        "test_event_code": arguments.test_event_code
        or settings.test_event_code
        or None,
        "website_id": website.id if website else None,
        "company_id": company.id or None,
        "res_model": origin._name if origin else None,
        "res_id": origin.id if origin else None,
        "happens_once": is_natural or None,
    }


def _judged(event, weak, problems):
    """Return what is weak about an event, and the failure of one that has problems."""
    weak = (*weak, *problems.left_out, *weaknesses(event))
    columns = {"weakness": "\n".join(map(str, weak)) or None}
    if problems:
        cause = cause_of_field(problems[0].field)
        columns.update(failed("\n".join(map(str, problems)), cause))
    return columns


def _cancelled(refusal):
    return {
        "state": "cancelled",
        "cause": refusal.cause,
        "error_message": refusal.message,
    }


def _says_nothing(value):
    """Tell whether a value of user_data may be completed by others."""
    return is_absent(value) or (type(value) in (list, tuple, set) and not value)


def _told_of_person(event, partner, raw_user_data):
    """Return the columns of what the log tells of an event's person, beside the event."""
    return {
        "partner_id": partner.id if partner else None,
        "user_data_keys": ",".join(sorted(event.user_data)) or None,
        "click_browser": _click_browser(event, raw_user_data),
    }


def _click_browser(event, raw_user_data):
    """Return the kind of the browser in which a click on an ad led to the event's page."""
    url, agent = event.event_source_url, raw_user_data.get("client_user_agent")
    if url and "fbclid=" in url and type(agent) is str and read_fbclid(url):
        return kind_of_browser(agent)
    return None


def _without_lines(custom_data):
    """Return ``custom_data`` without what it has of each line of an order."""
    if not isinstance(custom_data, Mapping):
        return custom_data
    lines = ("contents", "content_ids")
    return {key: value for key, value in custom_data.items() if key not in lines}


def _is_own(problem, own):
    """Tell whether it is with what we have filled in, and the event goes without it.

    A sale is never told of with another value than it has, or with none.

    :param own: what ``EventBuilder._complete`` returns
    """
    whole = ".".join(problem.field.split("[")[0].split(".")[:2])
    if whole in ("custom_data.value", "custom_data.currency"):
        return False
    return whole in own or whole.partition(".")[0] in own
