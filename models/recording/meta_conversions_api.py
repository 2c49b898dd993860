from collections.abc import Mapping

import psycopg2

from odoo import api, models

from ...capi.privacy import limited
from .event_builder import EventBuilder
from .event_writer import EventWriter
from .over_rpc import guard, unguard
from .segmentation import tell_segmentation

_PUBLIC = ("send_event", "send_events")


class MetaConversionsApi(models.AbstractModel):
    """The way in: record an event for Meta.

    Recording writes a row and, when none is on its way, a job, both in the caller's
    transaction. It opens no connection to Meta, whatever happens, and raises nothing of
    its own unless asked to.
    """

    _name = "meta.conversions.api"
    _description = "Meta Conversions API"

    @api.model
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

    @api.model
    def send_events(self, events):
        """Record many events at once; see :meth:`send_event`.

        :param events: a list of dicts, each with the arguments of ``send_event``
        :return: the ``meta.capi.event`` records, in the order given
        """
        if not self.env["meta.capi.config"]._is_enabled():
            return self.env["meta.capi.event"]
        builder = EventBuilder(self.env)
        return self._record(builder.build(given) for given in _read_items(events))

    @api.model
    def _record_from_browser(self, arguments, page_limits=None):
        """Record an event of a visitor of the website; see :meth:`send_event`.

        Without consent, and for a robot, nothing at all is recorded.

        :param arguments: a dict, those of ``send_event``
        :param page_limits: options, country and state by which the page has limited
            data use; it may limit more than the settings do, never less
        """
        events = self.env["meta.capi.event"]
        visit = self.env["meta.capi.visit"]
        if not self.env["meta.capi.config"]._is_enabled():
            return events
        browser = visit._snapshot()
        if not browser.get("consent"):
            return events
        draft = EventBuilder(self.env).build(arguments, at_hand=browser)
        if not draft:
            return events
        if page_limits and not draft.event.data_processing_options_country:
            draft.event = limited(draft.event, *page_limits)
        draft.columns["is_from_browser"] = True
        if draft.origin:
            visit._keep_newer(draft.origin)
        return self._record([draft])

    @api.model
    def _record_for_action(self, action, records):
        """Record what a server action of the type *Send Meta Event* tells of records."""
        if not self.env["meta.capi.config"]._is_enabled():
            return self.env["meta.capi.event"]
        builder = EventBuilder(self.env)
        return self._record(
            draft
            for record in records
            for draft in builder.build_for_action(action, record)
        )

    def _record(self, drafts):
        """Store these events and see to their delivery; return their records.

        :param drafts: those of ``EventBuilder``; None is passed over
        """
        ids, _written = self._store(drafts)
        return self.env["meta.capi.event"].browse(ids)

    def _store(self, drafts):
        """Do so, and return the rows' ids and the drafts that were written now."""
        drafts = [draft for draft in drafts if draft]
        tell_segmentation(self.env, drafts)
        ids, written = EventWriter(self.env).store(drafts)
        recorded, pixel_ids = {}, set()
        for draft in written:
            if draft.is_pending:
                pixel_ids.add(draft.columns["pixel_id"])
                if draft.is_natural:
                    key = draft.origin._name, draft.event.event_name
                    recorded.setdefault(key, []).append(draft.origin.id)
        for (model, event_name), origin_ids in recorded.items():
            origins = self.env[model].sudo().browse(origin_ids)
            origins._meta_capi_set_recorded(event_name)
        for pixel_id in pixel_ids:
            self.env["meta.capi.job"]._schedule(pixel_id)
        return ids, written

    # ------------------------------------------------------------------ over RPC

    def _register_hook(self):
        guard(type(self), *_PUBLIC)
        return super()._register_hook()

    def _unregister_hook(self):
        unguard(type(self), *_PUBLIC)
        return super()._unregister_hook()


def _read_items(events):
    """Return the items of a list of events; what is none is an event by itself."""
    try:
        is_one = isinstance(events, (str, bytes, Mapping))
        return [events] if is_one else list(events)
    except psycopg2.Error:
        raise
    except Exception:  # the event's message will tell
        return [events]
