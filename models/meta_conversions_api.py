import dataclasses
import functools
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from ipaddress import ip_address

import psycopg2
from psycopg2.errors import SerializationFailure
from psycopg2.extras import Json

from odoo import _, api, models
from odoo.exceptions import AccessError, UserError
from odoo.http import request
from odoo.tools import SQL, ormcache

from ..capi.errors import InvalidParameter
from ..capi.event import ServerEvent, read_event
from .ir_actions_server import ORIGIN_KEY, ActionOrigin

_logger = logging.getLogger("meta.conversions.api")

# Of send_event, what is not a parameter of the event itself.
_CONTROL = {"test_event_code", "raise_on_error", "origin", "website"}
_EVENT_FIELDS = tuple(field.name for field in dataclasses.fields(ServerEvent))
_JSON_COLUMNS = ("user_data", "custom_data", "data_processing_options")
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
    "website_id",
    "company_id",
    "res_model",
    "res_id",
    "test_event_code",
)
# Of a browser's traces, those that are not user_data.
_BROWSER_URLS = ("event_source_url", "referrer_url")
_NOT_USER_DATA = {*_BROWSER_URLS, "consent"}


class _OverRpc:
    """A method that portal users may not call over RPC.

    Code that runs for a portal user may: it is the same user, so the entry has to tell.
    Every RPC entry of Odoo looks the method up on the model's class, and Python code
    calls it on a recordset. ``api.private`` is missing on Odoo 17, and would shut out
    internal users too.
    """

    def __init__(self, method):
        self._method = method
        functools.update_wrapper(self, method)

        @api.model
        @functools.wraps(method)
        def remote(records, *args, **kwargs):
            if not (records.env.su or records.env.user._is_internal()):
                raise AccessError(_("Events are recorded by the server, not over RPC."))
            return method(records, *args, **kwargs).ids

        self._remote = remote

    def __get__(self, records, owner=None):
        return self._remote if records is None else self._method.__get__(records, owner)


class InvalidEvent(UserError):
    """What ``raise_on_error`` asks for."""


@dataclass
class _Draft:
    """An event on its way into the log."""

    event: ServerEvent
    columns: dict
    origin: models.BaseModel | None

    @property
    def key(self):
        return self.columns["pixel_id"], self.event.event_name, self.event.event_id

    @property
    def is_natural(self):
        """Whether this is the one event of its name that can happen to its origin."""
        return bool(self.origin) and self.event.event_id == (
            self.origin._meta_capi_event_id(self.event.event_name)
        )


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
        drafts = [self._draft(arguments) for arguments in events]
        ids = self._record([draft for draft in drafts if draft])
        return self.env["meta.capi.event"].browse(ids)

    # ------------------------------------------------------------------- the draft

    def _draft(self, arguments):
        """Return the event these arguments make, ready to be stored, or None."""
        if not isinstance(arguments, Mapping):
            arguments = {"arguments": arguments}
        try:
            return self._prepare(dict(arguments))
        except (psycopg2.OperationalError, psycopg2.InternalError, InvalidEvent):
            # Concurrency and read-only errors make Odoo replay the request.
            raise
        except Exception:
            # The border: what breaks here must not break the sale that is going on.
            _logger.exception("An event could not be prepared")
            return self._prepare_bare(arguments)

    def _prepare(self, arguments):
        control = {key: arguments.pop(key, None) for key in _CONTROL}
        problems = []
        origin = _read_record(control["origin"], "origin", problems)
        website = _read_record(control["website"], "website", problems)
        if website is not None and website._name != "website":
            problems.append(InvalidParameter("website", "must be a website"))
            website = None
        action = None if origin else self.env.context.get(ORIGIN_KEY)
        if isinstance(action, ActionOrigin) and len(action.ids) == 1:
            origin = self.env[action.model].sudo().browse(action.ids)
        website = website or self._current_website(origin)
        pixel_id = self.env["meta.capi.config"]._pixel_id(website)
        if not pixel_id:
            if control["raise_on_error"]:
                raise InvalidEvent(_("No Meta pixel is configured."))
            self._warn_unconfigured()
            return None
        consent = self._complete(arguments, origin)
        event, refused = read_event(
            arguments,
            now=time.time(),
            default_country=self._country_code(origin, website),
        )
        problems += refused
        columns = {
            "pixel_id": pixel_id,
            "test_event_code": _read_test_event_code(
                control["test_event_code"], problems
            )
            or self.env["meta.capi.config"]._test_event_code(website)
            or None,
            "website_id": website.id if website else None,
            "company_id": self._company(origin, website).id,
            "res_model": origin._name if origin else None,
            "res_id": origin.id if origin else None,
        }
        if isinstance(action, ActionOrigin) and len(action.ids) > 1:
            if any(problem.field == "user_data" for problem in problems):
                problems.append(
                    InvalidParameter(
                        "origin",
                        _("the action runs on several records: pass origin=order"),
                    )
                )
        if not consent:
            event = replace(event, user_data={}, custom_data=None)
            columns.update(
                state="cancelled",
                error_message=_("The visitor has not consented to optional cookies."),
            )
        elif problems:
            message = "\n".join(map(str, problems))
            if control["raise_on_error"]:
                raise InvalidEvent(message)
            columns.update(_failed(message))
        return _Draft(event, columns, origin)

    def _prepare_bare(self, arguments):
        """Return what can be stored of an event that breaks the code that reads it."""
        message = _("The event could not be prepared; the server's log tells why.")
        if arguments.get("raise_on_error") is True:
            raise InvalidEvent(message)
        pixel_id = self.env["meta.capi.config"]._pixel_id()
        if not pixel_id:
            return None
        kept = {key: arguments.get(key) for key in ("event_name", "event_id")}
        event, _refused = read_event(kept, now=time.time())
        columns = {
            "pixel_id": pixel_id,
            "company_id": self.env.company.id,
            **_failed(message),
        }
        return _Draft(event, columns, None)

    @api.model
    @ormcache()
    def _warn_unconfigured(self):
        """Say once, until the configuration changes, that events go nowhere."""
        _logger.warning(
            "Events are not recorded: the Meta Conversions API is switched on without a"
            " pixel. See Website > Configuration > Settings."
        )

    def _complete(self, arguments, origin):
        """Fill in what the caller left out: from the origin, then from the request.

        :return: False where the person has not consented to being tracked
        """
        request_data = self._browser_data(origin)
        browser_data = (origin and origin._meta_capi_browser_data()) or request_data
        if browser_data.get("consent") is False:
            return False
        event_name = arguments.get("event_name")
        website = origin and origin._meta_capi_website()
        defaults = {
            "action_source": "website" if website or request_data else None,
            **{key: browser_data.get(key) for key in _BROWSER_URLS},
        }
        if website and not defaults["event_source_url"]:
            defaults["event_source_url"] = website.get_base_url()
        if origin and isinstance(event_name, str):
            defaults["event_id"] = origin._meta_capi_event_id(event_name)
            if arguments.get("custom_data") is None:
                defaults["custom_data"] = origin._meta_capi_custom_data(event_name)
        for key, value in defaults.items():
            if arguments.get(key) is None:
                arguments[key] = value
        user_data = arguments.get("user_data")
        if user_data is None or isinstance(user_data, dict):
            given = {key: value for key, value in (user_data or {}).items() if value}
            arguments["user_data"] = {
                **{k: v for k, v in browser_data.items() if k not in _NOT_USER_DATA},
                **(origin._meta_capi_user_data() if origin else {}),
                **given,
            }
        return True

    @api.model
    def _browser_data(self, origin=None):
        """Return what the visitor's request tells: traces for ``user_data`` and URLs.

        Empty where no page of a website is being asked for, or by somebody of the
        back office on behalf of the customer; ``{"consent": False}`` where the website
        asks for consent and the visitor has not given it.
        """
        if not request or not getattr(request, "is_frontend", False):
            return {}
        user = request.env.user
        if user._is_internal() and origin:
            if origin._meta_capi_partner() != user.partner_id:
                return {}
        if not request.env["ir.http"]._is_allowed_cookie("optional"):
            return {"consent": False}
        httprequest = request.httprequest
        # A script's call is made from the page that refers to it.
        is_page = httprequest.method == "GET"
        data = {
            "client_ip_address": _public_address(httprequest.remote_addr),
            "client_user_agent": httprequest.user_agent.string,
            "fbc": httprequest.cookies.get("_fbc"),
            "fbp": httprequest.cookies.get("_fbp"),
            "event_source_url": httprequest.url if is_page else httprequest.referrer,
            "referrer_url": httprequest.referrer if is_page else None,
        }
        return {key: value for key, value in data.items() if value}

    @api.model
    def _current_website(self, origin):
        website = self.env["website"].sudo()
        if origin:
            website = origin._meta_capi_website()
        if not website and request and getattr(request, "is_frontend", False):
            website = request.website
        return website

    @api.model
    def _company(self, origin, website):
        return (
            (origin and origin._meta_capi_company())
            or (website and website.company_id)
            or self.env.company
        )

    @api.model
    def _country_code(self, origin, website):
        return self._company(origin, website).sudo().country_code or None

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
        for draft in fresh.values():
            if draft.columns.get("state", "pending") == "pending":
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
        if not (
            draft.is_natural
            and draft.origin._meta_capi_is_recorded(draft.event.event_name)
        ):
            return False
        self.env.cr.execute(
            SQL(
                "SELECT pixel_id FROM meta_capi_event"
                " WHERE res_model = %s AND res_id = %s AND event_name = %s"
                " AND event_id = %s LIMIT 1",
                draft.origin._name,
                draft.origin.id,
                draft.event.event_name,
                draft.event.event_id,
            )
        )
        row = self.env.cr.fetchone()
        if row:
            # The pixel may be another one by now; the event stays one.
            draft.columns["pixel_id"] = row[0]
        return not row

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
        except (psycopg2.DataError, psycopg2.IntegrityError):
            if len(drafts) == 1:
                _logger.exception("An event could not be stored as it is")
                return self._insert_bare(drafts[0])
        middle = len(drafts) // 2
        return {**self._insert(drafts[:middle]), **self._insert(drafts[middle:])}

    def _insert_bare(self, draft):
        """Insert what is safe of an event that PostgreSQL refuses."""
        draft.event = replace(draft.event, user_data={}, custom_data=None)
        draft.columns = {
            "pixel_id": draft.columns["pixel_id"],
            **_failed(_("The event could not be stored; the server's log tells why.")),
        }
        with self.env.cr.savepoint(flush=False):
            return self._execute_insert([draft])

    def _execute_insert(self, drafts):
        rows = [self._to_row(draft) for draft in drafts]
        columns = list(rows[0])
        self.env.cr.execute(
            SQL(
                "INSERT INTO meta_capi_event (%s) VALUES %s"
                " ON CONFLICT (pixel_id, event_name, event_id) DO NOTHING"
                " RETURNING id, pixel_id, event_name, event_id",
                SQL(", ").join(map(SQL.identifier, columns)),
                SQL(", ").join(
                    SQL("(%s)", SQL(", ").join(SQL("%s", row[c]) for c in columns))
                    for row in rows
                ),
            ),
            log_exceptions=False,
        )
        return {tuple(key): event_id for event_id, *key in self.env.cr.fetchall()}

    def _to_row(self, draft):
        """Return the values of all columns, in an order that is always the same."""
        row = dict.fromkeys(_STATE_COLUMNS)
        for field in _EVENT_FIELDS:
            row[field] = getattr(draft.event, field)
        for column in _JSON_COLUMNS:
            if row[column] is not None:
                row[column] = Json(row[column])
        now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
        row.update(
            event_time=datetime.fromtimestamp(
                draft.event.event_time, timezone.utc
            ).replace(tzinfo=None),
            state="pending",
            attempt_count=0,
            next_attempt_at=now,
            browser_twin=False,
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
            cr.execute(SQL("SELECT FROM meta_capi_event WHERE %s", _key_is(draft.key)))
            return bool(cr.rowcount)

    def _reuse(self, draft):
        """Return the row of an event that is on record, and whether it was rebuilt.

        One that was invalid is tried again with what is known now. Any other stays.
        """
        self.env.cr.execute(
            SQL(
                "SELECT id, failure_reason = 'invalid' FROM meta_capi_event WHERE %s",
                _key_is(draft.key),
            )
        )
        event_id, invalid = self.env.cr.fetchone() or (None, False)
        if invalid:
            row = self._to_row(draft)
            for column in ("create_uid", "create_date", "write_uid", "write_date"):
                del row[column]
            self.env["meta.capi.event"]._update([event_id], **row)
        return event_id, bool(invalid)


def _read_record(value, parameter, problems):
    """Return the one stored record that ``value`` is, as superuser, or None."""
    if value is None or value is False:
        return None
    if not isinstance(value, models.BaseModel):
        problems.append(InvalidParameter(parameter, "must be a record"))
    elif len(value) != 1 or not isinstance(value.id, int):
        problems.append(InvalidParameter(parameter, "must be one stored record"))
    else:
        return value.sudo()
    return None


def _read_test_event_code(value, problems):
    if value is None or value is False:
        return None
    if not isinstance(value, str) or not value.isprintable() or len(value) > 100:
        problems.append(
            InvalidParameter("test_event_code", "must be a text of 100 characters")
        )
        return None
    return value.strip()


def _failed(message):
    return {
        "state": "failed",
        "failure_reason": "invalid",
        "error_message": message,
    }


def _key_is(key):
    return SQL("pixel_id = %s AND event_name = %s AND event_id = %s", *key)


def _public_address(address):
    """Return the address of a browser, or None for one that means nothing to Meta."""
    try:
        return address if ip_address(address).is_global else None
    except ValueError:
        return None
