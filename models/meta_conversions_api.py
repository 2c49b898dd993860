import dataclasses
import functools
import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import psycopg2
from psycopg2.errors import SerializationFailure

from odoo import _, api, models
from odoo.exceptions import AccessError, MissingError, UserError
from odoo.tools import ormcache

from ..capi.browser import read_fbclid
from ..capi.causes import cause_of_field
from ..capi.const import MAX_NAME_LENGTH
from ..capi.errors import InvalidParameter
from ..capi.event import ServerEvent, read_event, weaknesses
from ..capi.privacy import limited_data_use
from ..capi.reading import Problems, read_mapping, start_of
from ..capi.url import tellable_url
from ..capi.user_agent import kind_of_browser
from ..capi.user_data import by_own_names, needs_country
from .border import log_error
from .ir_actions_server import ORIGIN_KEY, ActionOrigin
from .meta_capi_browser import TRACES
from .outbox import EventTable
from .refusal import Refusal, to_refusal
from .standard_events import CHECKOUT

_logger = logging.getLogger("meta.conversions.api")

_EVENT_FIELDS = tuple(field.name for field in dataclasses.fields(ServerEvent))
# What an event may tell of a person or a device.
_NOTHING_PERSONAL = {
    "user_data": {},
    "event_source_url": None,
    "referrer_url": None,
    "app_data": None,
    "attribution_data": None,
}
_to_json = json.JSONEncoder(default=datetime.isoformat).encode
# What a rebuilt row must not keep of its former life.
_STATE_COLUMNS = (
    "failure_reason",
    "sent_at",
    "http_status",
    "fbtrace_id",
    "error_code",
    "error_subcode",
    "error_message",
    "response",
    "isolation_part",
    "unknown_count",
    "first_refusal_id",
    "cause",
    "value",
    "currency",
    "is_from_browser",
    "is_copy",
    "happens_once",
    "website_id",
    "company_id",
    "res_model",
    "res_id",
    "test_event_code",
    "partner_id",
    "user_data_keys",
    "click_browser",
    "weakness",
)


class _OverRpc:
    """A method that portal users may not call over RPC.

    Code that runs for a portal user may: it is the same user, so the entry has to tell.
    Every RPC entry of Odoo looks the method up on the model's class, where Python code
    calls it on a recordset; on Odoo 18 it is ``call_kw`` that looks it up on one.
    ``api.private`` is missing on Odoo 17, and would shut out internal users too.
    """

    _call_kw = getattr(getattr(api, "call_kw", None), "__code__", None)

    def __init__(self, method):
        self._method = method
        functools.update_wrapper(self, method)

        @api.model
        @functools.wraps(method)
        def remote(self, *args, **kwargs):
            if not (self.env.su or self.env.user._is_internal()):
                raise AccessError(_("Events are recorded by the server, not over RPC."))
            return method(self, *args, **kwargs).ids

        self._remote = remote

    def __get__(self, records, owner=None):
        is_rpc = records is None or sys._getframe(1).f_code is self._call_kw
        method = self._remote if is_rpc else self._method
        return method.__get__(records, owner)


class _Once:
    """A model that is asked each question once, however many events want the answer."""

    def __init__(self, model):
        self._model = model
        self._answers = {}

    def __getattr__(self, name):
        method = getattr(self._model, name)

        def ask(*arguments):
            question = name, arguments
            if question not in self._answers:
                self._answers[question] = method(*arguments)
            return self._answers[question]

        # Next time it is found without this method.
        setattr(self, name, ask)
        return ask


class InvalidEvent(UserError):
    """What ``raise_on_error`` asks for."""


@dataclass(frozen=True)
class _Told:
    """What an origin tells of an event that is about it."""

    website: models.BaseModel | None = None
    company: models.BaseModel | None = None
    partner: models.BaseModel | None = None
    browser: dict = dataclasses.field(default_factory=dict)
    user_data: dict = dataclasses.field(default_factory=dict)
    custom_data: dict | None = None
    event_id: str | None = None
    is_recorded: bool = False
    exclusion: str | None = None


@dataclass
class _Draft:
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


class MetaConversionsApi(models.AbstractModel):
    """The way in: record an event for Meta.

    Recording writes a row and, when none is on its way, a job, both in the caller's
    transaction. It opens no connection to Meta, whatever happens, and raises nothing of
    its own unless asked to.
    """

    _name = "meta.conversions.api"
    _description = "Meta Conversions API"

    @_OverRpc
    def send_event(
        self,
        event_name,
        event_time=None,
        event_id=None,
        user_data=None,
        custom_data=None,
        test_event_code=None,
        raise_on_error=False,
        *,
        action_source=None,
        event_source_url=None,
        referrer_url=None,
        opt_out=None,
        data_processing_options=None,
        origin=None,
        website=None,
        customer_segmentation=None,
        original_event_data=None,
        app_data=None,
        messaging_channel=None,
        attribution_data=None,
    ):
        """Record an event for Meta.

        Whatever is left out is completed: from ``origin``, then from the website
        request at hand.

        :param event_name: a standard name of Meta's or any other, 100 characters
        :param event_time: Unix seconds, or datetime (naive: UTC); None: now
        :param event_id: what makes the event one; the same in the browser's Pixel call
        :param user_data: Meta's customer information keys, raw or hashed; what Meta
            wants hashed is hashed before it is stored
        :param custom_data: Meta's standard parameters and any others
        :param test_event_code: instead of the configured one
        :param raise_on_error: raise ``UserError`` where the event is invalid or no
            pixel is configured
        :param action_source: ``website``, ``email``, ``physical_store``…
        :param opt_out: True: for attribution only
        :param data_processing_options: ``["LDU"]`` to limit data use
        :param origin: the record the event is about; default: the single record of the
            server action that is calling
        :param website: default: the origin's, or the one that is being visited
        :param customer_segmentation: what kind of customer it is, such as
            ``new_customer_to_business``
        :param original_event_data: the ``event_name``, ``event_time``, ``event_id`` and
            ``order_id`` of an event that was sent before and that this one adds to
        :param app_data: what an event of ``action_source="app"`` tells of the app, such
            as ``advertiser_tracking_enabled`` and ``extinfo``
        :param messaging_channel: where an event of
            ``action_source="business_messaging"`` happened: ``whatsapp``,
            ``messenger`` or ``instagram``
        :param attribution_data: what ``AppendAttribution`` tells, such as ``ad_id``
        :return: the ``meta.capi.event``; the one that exists, where this pixel has an
            event of this name and id; empty while switched off or not configured
        """
        return self.send_events(
            [
                {
                    "event_name": event_name,
                    "event_time": event_time,
                    "event_id": event_id,
                    "user_data": user_data,
                    "custom_data": custom_data,
                    "test_event_code": test_event_code,
                    "raise_on_error": raise_on_error,
                    "action_source": action_source,
                    "event_source_url": event_source_url,
                    "referrer_url": referrer_url,
                    "opt_out": opt_out,
                    "data_processing_options": data_processing_options,
                    "origin": origin,
                    "website": website,
                    "customer_segmentation": customer_segmentation,
                    "original_event_data": original_event_data,
                    "app_data": app_data,
                    "messaging_channel": messaging_channel,
                    "attribution_data": attribution_data,
                }
            ]
        )

    @_OverRpc
    def send_events(self, events):
        """Record many events at once; see :meth:`send_event`.

        :param events: a list of dicts, each with the arguments of ``send_event``
        :return: the ``meta.capi.event`` records, in the order given
        """
        if not self.env["meta.capi.config"]._is_enabled():
            return self.env["meta.capi.event"]
        config = _Once(self.env["meta.capi.config"])
        drafts = [self._draft(arguments, config) for arguments in _read_items(events)]
        ids = self._record([draft for draft in drafts if draft])
        return self.env["meta.capi.event"].browse(ids)

    @api.model
    def _record_from_browser(self, arguments):
        """Record an event of a visitor of the website; see :meth:`send_event`.

        Without consent, and for a robot, nothing at all is recorded.

        :param arguments: those of ``send_event``, and ``page_limits``: options, country
            and state by which the page has limited data use; it may limit more than the
            settings do, never less
        """
        if not self.env["meta.capi.config"]._is_enabled():
            return self.env["meta.capi.event"]
        if not self.env["meta.capi.browser"]._of_request().get("consent"):
            return self.env["meta.capi.event"]
        given = dict(arguments)
        limits = given.pop("page_limits", None)
        draft = self._draft(given, by_visitor=True)
        if not draft:
            return self.env["meta.capi.event"]
        if limits and not draft.event.data_processing_options_country:
            draft.event = _limited(draft.event, *limits)
        draft.columns["is_from_browser"] = True
        if draft.origin:
            self.env["meta.capi.browser"]._keep_newer(draft.origin)
        return self.env["meta.capi.event"].browse(self._record([draft]))

    @api.model
    def _record_for_action(self, action, records):
        """Record what a server action of the type *Send Meta Event* tells of records."""
        if not self.env["meta.capi.config"]._is_enabled():
            return self.env["meta.capi.event"]
        drafts = [
            draft
            for record in records
            for draft in self._draft_for_action(action, record)
        ]
        ids = self._record([draft for draft in drafts if draft])
        return self.env["meta.capi.event"].browse(ids)

    # ------------------------------------------------------------------- the draft

    @api.model
    def _draft_for_action(self, action, record, needs_pixel=True):
        """Return the events that a server action makes of a record; nothing is stored.

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
            self._make_draft(
                {"event_name": action.meta_capi_event_name, "origin": subject},
                Problems(problems),
                action,
                needs_pixel,
            )
            for subject in subjects
        ]

    def _draft(self, arguments, config=None, by_visitor=False):
        """Return the event these arguments make, ready to be stored, or None.

        What PostgreSQL says is let through: it wants the request replayed, or has
        ended the transaction anyway.

        :param by_visitor: it is what the visitor does whose request is at hand
        """
        problems = Problems()
        given = problems.read(
            "arguments", read_mapping, "arguments", arguments, default={}
        )
        raise_on_error = problems.read(
            "raise_on_error", bool, given.pop("raise_on_error", False)
        )
        draft = self._make_draft(given, problems, config=config, by_visitor=by_visitor)
        if not draft:
            if raise_on_error:
                raise InvalidEvent(_("No Meta pixel is configured."))
        elif raise_on_error and draft.is_failed:
            raise InvalidEvent(draft.columns["error_message"])
        return draft

    def _make_draft(
        self,
        given,
        problems,
        action=None,
        needs_pixel=True,
        config=None,
        by_visitor=False,
    ):
        try:
            return self._prepare(
                given, problems, action, needs_pixel, config, by_visitor
            )
        except psycopg2.Error:
            raise
        except Exception as error:
            # The border: what breaks here must not break the sale that is going on.
            log_error("An event could not be prepared", error)
            return self._prepare_bare(given)

    def _prepare(
        self,
        given,
        problems,
        picker=None,
        needs_pixel=True,
        config=None,
        by_visitor=False,
    ):
        """Return the draft, or None without a pixel.

        :param picker: the server action that may take from fields of its own choice
            what the origin tells otherwise
        :param config: the configuration, where it is shared with other events
        :param by_visitor: it is what the visitor does whose request is at hand
        """
        config = config or self.env["meta.capi.config"]
        origin = problems.read("origin", self._read_origin, given.pop("origin", None))
        website = problems.read(
            "website", self._read_website, given.pop("website", None)
        )
        test_event_code = problems.read(
            "test_event_code", _read_test_event_code, given.pop("test_event_code", None)
        )
        action = None if origin else self.env.context.get(ORIGIN_KEY)
        if isinstance(action, ActionOrigin) and len(action.ids) == 1:
            origin = self.env[action.model].sudo().browse(action.ids)
        visited = self.env["meta.capi.browser"]._website()
        if origin:
            told = self._ask(origin, given, problems)
        else:
            told = self._ask_visitor(given) if visited else _Told()
        if picker and origin:
            told = self._ask_picker(picker, origin, told, given, problems)
        website = website or told.website or visited
        pixel_id = config._pixel_id(website)
        if not pixel_id and needs_pixel:
            self._warn_unconfigured(website.name if website else "")
            return None
        company = told.company or (website and website.company_id) or self._company()
        if visited:
            browser = self._choose_browser(told, by_visitor)
        else:
            browser = told.browser
        refusal = self._refusal(origin, told, browser)
        own = self._complete(given, told, browser, problems)
        read = functools.partial(
            read_event,
            now=time.time(),
            default_country=(
                company.sudo().country_code or None
                if needs_country(given["user_data"])
                else None
            ),
            withheld=config._withheld_user_data(),
        )
        event, refused = read(given)
        left_out = [problem for problem in refused if _is_own(problem, own)]
        if left_out and event.custom_data is None:
            # It is too large: an order of thousands of lines.
            given["custom_data"] = _without_lines(given["custom_data"])
            event, refused = read(given)
        problems += [problem for problem in refused if not _is_own(problem, own)]
        event = self._limit_data_use(config, event, given["user_data"])
        if isinstance(action, ActionOrigin) and len(action.ids) > 1:
            if problems.concern("user_data"):
                problems.note(
                    "origin", _("the action runs on several records: pass origin=order")
                )
        columns = {
            "pixel_id": pixel_id,
            "test_event_code": test_event_code
            or config._test_event_code(website)
            or None,
            "website_id": website.id if website else None,
            "company_id": company.id or None,
            "res_model": origin._name if origin else None,
            "res_id": origin.id if origin else None,
        }
        if refusal:
            event = replace(event, **_NOTHING_PERSONAL)
            columns.update(
                state="cancelled", cause=refusal.cause, error_message=refusal.message
            )
        else:
            columns["partner_id"] = told.partner.id if told.partner else None
            columns["user_data_keys"] = ",".join(sorted(event.user_data)) or None
            columns["click_browser"] = _click_browser(event, given["user_data"])
            weak = [
                *left_out,
                *refused.left_out,
                *problems.left_out,
                *weaknesses(event),
            ]
            columns["weakness"] = "\n".join(map(str, weak)) or None
            if problems:
                columns.update(
                    _failed(
                        "\n".join(map(str, problems)), cause_of_field(problems[0].field)
                    )
                )
        # Another checkout of the same cart may begin, under an id of its own.
        is_natural = (
            bool(told.event_id)
            and event.event_id == told.event_id
            and event.event_name != CHECKOUT
        )
        columns["happens_once"] = is_natural or None
        return _Draft(
            event,
            columns,
            origin,
            is_natural=is_natural,
            is_recorded=told.is_recorded,
            extra_pixel_ids=config._extra_pixel_ids(website),
        )

    def _prepare_bare(self, given):
        """Return what can be stored of an event that breaks the code that reads it."""
        pixel_id = self.env["meta.capi.config"]._pixel_id()
        if not pixel_id:
            return None
        kept = {key: given.get(key) for key in ("event_name", "event_id")}
        event, _refused = read_event(kept, now=time.time())
        message = _("The event could not be prepared; the server's log tells why.")
        return _Draft(event, {"pixel_id": pixel_id, **_failed(message, "unprepared")})

    def _read_origin(self, value):
        """Return the record that ``value`` is, as superuser, or None."""
        if value is None or value is False:
            return None
        if not isinstance(value, models.BaseModel):
            raise InvalidParameter("origin", "must be a record")
        if len(value) != 1 or not isinstance(value.id, int):
            raise InvalidParameter("origin", "must be one stored record")
        return value.with_env(self.env(su=True))

    def _read_website(self, value):
        """Return the website that ``value`` is, as superuser, or None."""
        if value is None or value is False:
            return None
        if not isinstance(value, models.BaseModel) or value._name != "website":
            raise InvalidParameter("website", "must be a website")
        if len(value) != 1 or not isinstance(value.id, int):
            raise InvalidParameter("website", "must be one stored website")
        website = value.with_env(self.env(su=True)).exists()
        if not website:
            raise InvalidParameter("website", "no longer exists")
        return website

    def _ask(self, origin, given, problems):
        """Return what ``origin`` tells of the event; nothing where it cannot be read."""
        event_name = _event_name(given)
        wants_custom_data = _is_left_out(given.get("custom_data"))
        try:
            return _Told(
                website=origin._meta_capi_website(),
                company=origin._meta_capi_company(),
                partner=origin._meta_capi_partner()._meta_capi_somebody(),
                browser=dict(origin._meta_capi_browser_data()),
                user_data=dict(origin._meta_capi_user_data()),
                custom_data=(
                    origin._meta_capi_custom_data(event_name)
                    if wants_custom_data
                    else None
                ),
                event_id=origin._meta_capi_event_id(event_name),
                is_recorded=origin._meta_capi_is_recorded(event_name),
                exclusion=origin._meta_capi_exclusion(event_name),
            )
        except psycopg2.Error:
            raise
        except MissingError:
            problems.note("origin", "no longer exists")
        except Exception as error:
            problems.note("origin", f"cannot be read ({type(error).__name__})")
            log_error(f"{origin} could not tell what Meta is to know", error)
        # Whoever it is: not the user who happens to be there.
        return _Told(partner=self.env["res.partner"])

    def _ask_picker(self, action, origin, told, given, problems):
        """Return what is told, where ``action`` takes it from fields of its own choice."""
        event_name = _event_name(given)
        try:
            picked = action._meta_capi_pick(origin, event_name, problems)
            given.update(picked.pop("arguments", {}))
            if "custom_data" in picked:
                picked["custom_data"] = {
                    **(told.custom_data or {}),
                    **picked["custom_data"],
                }
            if "partner" in picked:
                partner = picked["partner"]._meta_capi_somebody()
                picked.update(
                    partner=partner,
                    user_data=partner._meta_capi_user_data(),
                    exclusion=told.exclusion
                    or partner._meta_capi_exclusion(event_name),
                )
            return replace(told, **picked)
        except psycopg2.Error:
            raise
        except MissingError:  # noted where the origin was asked
            return told
        except Exception as error:
            problems.note("origin", f"cannot be read ({type(error).__name__})")
            log_error(f"The fields that {action} takes could not be read", error)
            return told

    @api.model
    @ormcache("website_name")
    def _warn_unconfigured(self, website_name):
        """Say once, until the configuration changes, that events go nowhere."""
        _logger.warning(
            "Events%s are not recorded: the Meta Conversions API is switched on without a"
            " pixel. See Website > Configuration > Settings.",
            f" of {website_name}" if website_name else "",
        )

    def _ask_visitor(self, given):
        """Return what the customer who is logged in to the website tells of an event."""
        partner = self.env["meta.capi.browser"]._visitor()._meta_capi_somebody()
        if not partner:
            return _Told()
        return _Told(
            partner=partner,
            user_data=partner._meta_capi_user_data(),
            exclusion=partner._meta_capi_exclusion(_event_name(given)),
        )

    def _company(self):
        """Return the company at hand, without reading the user anew each time."""
        if self.env.context.get("allowed_company_ids"):
            return self.env.company
        return self.env["res.company"].browse(self._company_id_of_user())

    @ormcache("self.env.uid")
    def _company_id_of_user(self):
        # A change of the user's company clears the cache.
        return self.env.company.id

    def _choose_browser(self, told, by_visitor):
        """Return the customer's browser: the one kept with the origin, or the request's.

        What the visitor does now is done with the browser of now. Else, the one kept is
        the customer's for certain, and the request may be somebody else's, such as the
        provider's that tells of a payment; what it can do is to give the consent that
        was missing, or to take it back.
        """
        at_hand = self.env["meta.capi.browser"]._of_request(told.partner)
        if by_visitor or not told.browser or at_hand.get("consent") is False:
            return at_hand or told.browser
        if not told.browser.get("consent") and at_hand.get("consent"):
            return at_hand
        return told.browser

    def _refusal(self, origin, told, browser):
        """Return why the event must not be sent, whoever asks for it, or None."""
        if told.partner and told.partner._meta_capi_objects():
            return Refusal("objection", _("The customer objects to events for Meta."))
        if browser and not browser.get("consent"):
            return Refusal(
                "no_consent", _("The visitor has not consented to optional cookies.")
            )
        config = self.env["meta.capi.config"]
        if origin and not browser and not config._sends_without_browser():
            return Refusal(
                "no_browser",
                _("No browser made this document, and the settings exclude such."),
            )
        return to_refusal(told.exclusion)

    def _complete(self, given, told, browser, problems):
        """Fill in what the caller left out: from the origin, then from the browser.

        What we fill in makes no event invalid: it is shortened, or left out.

        :return: the names of what was filled in, those of ``user_data`` with their key
        """
        own = set()
        page_url = browser.get("event_source_url")
        if told.website and not page_url:
            page_url = told.website.get_base_url()
        for key, value in {
            "event_time": None,
            "event_id": told.event_id,
            "custom_data": told.custom_data,
            "action_source": "website" if told.website or browser else None,
            "event_source_url": tellable_url(page_url),
            "referrer_url": tellable_url(browser.get("referrer_url")),
        }.items():
            if _is_left_out(given.get(key)):
                given[key] = value
                if value is not None:
                    own.add(key)
        user_data = {}
        if not _is_left_out(given.get("user_data")):
            user_data = problems.read(
                "user_data", read_mapping, "user_data", given["user_data"], default={}
            )
            user_data = by_own_names(user_data)
        known = {
            **{key: start_of(browser[key]) for key in TRACES if key in browser},
            **told.user_data,
        }
        said = {
            key: value
            for key, value in user_data.items()
            if (type(value) is str and value) or not _is_empty(value)
        }
        given["user_data"] = {**known, **said}
        own.update(f"user_data.{key}" for key in known.keys() - said.keys())
        return own

    def _limit_data_use(self, config, event, raw_user_data):
        """Return ``event`` with Limited Data Use, where the settings want it so.

        :param raw_user_data: what tells the customer's country and state
        """
        if event.data_processing_options is not None:
            return event
        limits = limited_data_use(
            config._limited_data_use(),
            _text_or_none(raw_user_data.get("country")),
            _text_or_none(raw_user_data.get("st")),
            has_address="client_ip_address" in event.user_data,
        )
        if not limits:
            return event
        return _limited(event, *limits)

    # ------------------------------------------------------------------ the record

    def _record(self, drafts):
        """Store these events and see to their delivery; return the ids of their rows.

        An event that another transaction has recorded since ours began has no row that
        we could see, and so no id.
        """
        drafts = [draft for draft in drafts if not self._is_purged(draft)]
        ids = self._insert(drafts)
        fresh = {}
        for draft in drafts:
            if draft.key in ids and draft.key not in fresh:
                fresh[draft.key] = draft
            else:
                event_id, rebuilt = self._reuse(draft)
                ids[draft.key] = event_id
                if rebuilt:
                    fresh[draft.key] = draft
        recorded, pixel_ids = {}, set()
        for draft in (*fresh.values(), *self._insert_copies(fresh.values())):
            if draft.is_pending:
                pixel_ids.add(draft.columns["pixel_id"])
                if draft.is_natural:
                    key = draft.origin._name, draft.event.event_name
                    recorded.setdefault(key, []).append(draft.origin.id)
        for (model, event_name), origin_ids in recorded.items():
            origins = self.env[model].sudo().browse(origin_ids)
            origins._meta_capi_set_recorded(event_name)
        for pixel_id in pixel_ids:
            self.env["meta.capi.delivery"]._schedule(pixel_id)
        return [ids[draft.key] for draft in drafts if ids.get(draft.key)]

    def _is_purged(self, draft):
        """Tell whether the event was on record once and its row is gone since."""
        if not (draft.is_natural and draft.is_recorded):
            return False
        pixel_id = EventTable(self.env).pixel_of_natural(
            draft.origin._name,
            draft.origin.id,
            draft.event.event_name,
            draft.event.event_id,
            draft.columns["pixel_id"],
        )
        if pixel_id:
            # The pixel may be another one by now; the event stays one.
            draft.columns["pixel_id"] = pixel_id
        return not pixel_id

    def _insert(self, drafts):
        """Insert these rows in a savepoint; return the new ids by key.

        A key that exists is passed over. One that was committed after our snapshot
        cannot even be seen: PostgreSQL refuses the whole statement, so that halves are
        tried until it is alone.
        """
        if not drafts:
            return {}
        try:
            with self.env.cr.savepoint(flush=False):
                return self._execute_insert(drafts)
        except SerializationFailure:
            if len(drafts) == 1:
                if self._is_recorded_elsewhere(drafts[0]):
                    return {}
                raise
        except (psycopg2.DataError, psycopg2.IntegrityError) as error:
            if len(drafts) == 1:
                log_error("An event could not be stored as it is", error)
                return self._insert_bare(drafts[0])
        middle = len(drafts) // 2
        return {**self._insert(drafts[:middle]), **self._insert(drafts[middle:])}

    def _insert_copies(self, drafts):
        """Insert the events that go to further pixels as well; return their drafts.

        Meta tells copies by pixel, so that each pixel counts the event once.
        """
        copies = [
            replace(
                draft,
                columns={
                    **draft.columns,
                    "pixel_id": pixel_id,
                    "is_copy": True,
                    "happens_once": None,
                },
                is_natural=False,
            )
            for draft in drafts
            if draft.is_pending
            for pixel_id in draft.extra_pixel_ids
            if pixel_id != draft.columns["pixel_id"]
        ]
        ids = self._insert(copies)
        return [copy for copy in copies if copy.key in ids]

    def _insert_bare(self, draft):
        """Insert what is safe of an event that PostgreSQL refuses."""
        draft.event = replace(
            draft.event, **_NOTHING_PERSONAL, original_event_data=None, custom_data=None
        )
        draft.columns = {
            "pixel_id": draft.columns["pixel_id"],
            **_failed(
                _("The event could not be stored; the server's log tells why."),
                "unprepared",
            ),
        }
        with self.env.cr.savepoint(flush=False):
            return self._execute_insert([draft])

    def _execute_insert(self, drafts):
        rows = [self._to_row(draft) for draft in drafts]
        # Most columns are for later.
        used = [c for c in rows[0] if any(row[c] is not None for row in rows)]
        return EventTable(self.env).insert(
            _to_json([{column: row[column] for column in used} for row in rows]), used
        )

    def _to_row(self, draft):
        """Return the values of all columns, in an order that is always the same."""
        row = dict.fromkeys(_STATE_COLUMNS)
        for field in _EVENT_FIELDS:
            row[field] = getattr(draft.event, field)
        now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
        row.update(
            event_time=datetime.fromtimestamp(
                draft.event.event_time, timezone.utc
            ).replace(tzinfo=None),
            state="pending",
            attempt_count=0,
            next_attempt_at=now,
            browser_twin=False,
            **_worth(draft.event.custom_data),
            create_uid=self.env.uid,
            create_date=now,
            write_uid=self.env.uid,
            write_date=now,
        )
        row.update(draft.columns)
        if row["state"] != "pending":
            row["next_attempt_at"] = None
        return row

    def _is_recorded_elsewhere(self, draft):
        """Tell whether another transaction has committed this event since ours began."""
        with self.env.registry.cursor() as cr:
            return EventTable(self.env(cr=cr)).find(draft.key) is not None

    def _reuse(self, draft):
        """Return the row of an event that is on record, and whether it was rebuilt.

        One that was invalid is tried again with what is known now, and so is one that
        only a browser told of, where the server tells of it now. Any other stays.
        """
        table = EventTable(self.env)
        event_id = table.find(draft.key)
        by_browser = bool(draft.columns.get("is_from_browser"))
        if not event_id or not table.lock_replaceable(event_id, by_browser):
            return event_id, False
        row = self._to_row(draft)
        for column in ("create_uid", "create_date", "write_uid", "write_date"):
            del row[column]
        if not by_browser:
            # Whether the browser has sent its own is not for us to tell.
            del row["browser_twin"]
        table.replace(event_id, row)
        return event_id, True


def _read_items(events):
    """Return the items of a list of events; what is none is an event by itself."""
    try:
        is_one = isinstance(events, (str, bytes, Mapping))
        return [events] if is_one else list(events)
    except psycopg2.Error:
        raise
    except Exception:  # the event's message will tell
        return [events]


def _event_name(given):
    """Return the name among these arguments, if it is a text."""
    event_name = given.get("event_name")
    is_name = issubclass(type(event_name), str)
    return str.__str__(event_name).strip() if is_name else ""


def _read_test_event_code(value):
    if value is None or value is False:
        return None
    if not isinstance(value, str):
        raise InvalidParameter("test_event_code", "must be a text")
    code = str.__str__(value).strip()
    if len(code) > MAX_NAME_LENGTH or not code.isprintable():
        raise InvalidParameter(
            "test_event_code", f"must be a text of up to {MAX_NAME_LENGTH} characters"
        )
    return code


def _is_left_out(value):
    """Tell whether an argument is None or that of an empty field of Odoo."""
    # By type, not by isinstance or ==: those ask the value, and it may be anything.
    return type(value) in (type(None), bool, str) and not value


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

    :param own: what ``_complete`` returns
    """
    whole = ".".join(problem.field.split("[")[0].split(".")[:2])
    if whole in ("custom_data.value", "custom_data.currency"):
        return False
    return whole in own or whole.partition(".")[0] in own


def _text_or_none(value):
    return value if type(value) is str else None


def _is_empty(value):
    """Tell whether a value of user_data says nothing, so that others may complete it."""
    return _is_left_out(value) or (type(value) in (list, tuple, set) and not value)


def _limited(event, options, country, state):
    return replace(
        event,
        data_processing_options=options,
        data_processing_options_country=country,
        data_processing_options_state=state,
    )


def _worth(custom_data):
    """Return the columns of what an event is worth, so that it can be summed up."""
    value, currency = map((custom_data or {}).get, ("value", "currency"))
    is_number = type(value) in (int, float)
    return {"value": value if is_number else None, "currency": currency}


def _failed(message, cause):
    return {
        "state": "failed",
        "failure_reason": "invalid",
        "cause": cause,
        "error_message": message,
    }
