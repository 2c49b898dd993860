from odoo import _

from ..outbox.key_words import KeyWords
from ..recording.event_builder import EventBuilder
from ..recording.segmentation import tell_segmentation
from ..settings import setting


class ActionPreview:
    """What a server action makes of a record, by the code that records it.

    ``events``, as Meta would get them; ``trouble``, what is in the way; ``advice``, what
    is weak about them. Nothing is stored or sent.
    """

    def __init__(self, action):
        self.env = action.env
        self.action = action
        self.events, self.trouble, self.advice = [], [], []
        if action.state != "meta_capi" or not action.meta_capi_event_name:
            return
        record = self._sample()
        if record:
            self.advice.append(_("Tried on %s.", record.display_name))
            self._try(record)
        elif action.model_id:
            self.trouble.append(_("There is no record yet to try it on."))

    def _sample(self):
        """Return the record that is chosen, or the newest, that this person may see."""
        model = self.env.get(self.action.model_id.model)
        if model is None or model._abstract:
            return self.env["base"]
        chosen = self.action.meta_capi_preview_ref
        if chosen and chosen._name == model._name:
            chosen = model.with_context(active_test=False).search(
                [("id", "=", chosen.id)]
            )
            if chosen:
                return chosen
        return model.search([], order="id desc", limit=1)

    def _try(self, record):
        """Note what would go to Meta, what is in the way, and what is weak."""
        if not self.env["meta.capi.config"]._is_enabled():
            self.trouble.append(
                _("Nothing is sent now: the Meta Conversions API is off.")
            )
        builder = EventBuilder(self.env)
        drafts = builder.build_for_action(self.action, record, needs_pixel=False)
        event_name = self.action.meta_capi_event_name.strip()
        if not record._meta_capi_subjects(event_name):
            self.trouble.append(self._tell_of_nothing())
        elif not self.action._meta_capi_wanted_subjects(record):
            self.trouble.append(
                _(
                    "It would not be sent: its website sends Purchases at another moment."
                )
            )
        elif not drafts:
            self.trouble.append(_("It would not be sent: it is not paid in full."))
        tell_segmentation(self.env, drafts)
        for draft in filter(None, drafts):
            self.events.append(draft.event.to_dict())
            self.trouble += self._tell_trouble(draft)
            if draft.columns.get("state") != "cancelled":
                self.advice += self._advise(draft)

    def _tell_of_nothing(self):
        if self.env["meta.capi.purchase"]._trigger_of(self.action) == "delivered":
            return _("It would not be sent: it is not delivered in full.")
        return _("It would not be sent: it gives no money back that Meta was told of.")

    def _tell_trouble(self, draft):
        if not draft.columns["pixel_id"]:
            yield _("It would not be sent: no Meta pixel is configured.")
        state, message = map(draft.columns.get, ("state", "error_message"))
        if state == "cancelled":
            yield _("It would be cancelled: %s", message)
        elif state == "failed":
            yield _("It would be refused: %s", message)

    def _is_on_record(self, draft):
        if draft.is_natural and draft.is_recorded:
            return True
        _pixel_id, event_name, event_id = draft.key
        # What was invalid is tried again.
        return (
            self.env["meta.capi.event"]
            .sudo()
            .search_count(
                [
                    ("event_name", "=", event_name),
                    ("event_id", "=", event_id),
                    ("failure_reason", "!=", "invalid"),
                ],
                limit=1,
            )
        )

    def _advise(self, draft):
        """Yield what Meta would find the person with, and is not told."""
        if draft.columns.get("state") != "failed" and self._is_on_record(draft):
            yield _("Recorded already: of this record it is not sent again.")
        withheld = self.env["meta.capi.config"]._withheld_user_data()
        missing = [
            key
            for key in setting.USER_DATA_KEYS.choices
            if key not in draft.event.user_data
        ]
        unknown = [key for key in missing if key not in withheld]
        labels = KeyWords(self.env).names()
        if unknown:
            yield _(
                "Not known of the customer: %s.", ", ".join(map(labels.get, unknown))
            )
        if withheld:
            names = ", ".join(map(labels.get, filter(withheld.__contains__, missing)))
            yield _("Withheld by the settings: %s.", names)
        if draft.columns.get("weakness"):
            yield draft.columns["weakness"]
