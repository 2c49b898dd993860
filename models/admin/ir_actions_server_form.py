import json

from odoo import _, api, fields, models

from ..common.standard_events import EVENTS, standard_name
from ..recording.event_builder import EventBuilder
from ..settings.meta_capi_config import CHOSEN_USER_DATA_KEYS
from .domain_words import DomainWords

_CUSTOM = "custom"
_TIME_TRIGGERS = ("on_time", "on_time_created", "on_time_updated")


class IrActionsServer(models.Model):
    """What the form of a *Send Meta Event* action tells whoever makes one."""

    _inherit = "ir.actions.server"

    meta_capi_standard_event = fields.Selection(
        lambda self: [*((name, name) for name in EVENTS), (_CUSTOM, _("Custom…"))],
        "Meta Event",
        compute="_compute_meta_capi_standard_event",
        inverse="_inverse_meta_capi_standard_event",
        help="Meta optimises ads for its standard events; any other name is a custom"
        " event.",
    )
    meta_capi_event_rules = fields.Text(
        "What Meta Wants", compute="_compute_meta_capi_event_rules"
    )
    meta_capi_condition = fields.Text(
        "When It Is Sent", compute="_compute_meta_capi_condition"
    )
    meta_capi_preview_ref = fields.Reference(
        selection="_selection_target_model",
        string="Record to Try It On",
        store=False,
        help="Empty: the newest one. Nothing is stored or sent.",
    )
    meta_capi_preview = fields.Text(
        "What Meta Would Get", compute="_compute_meta_capi_preview"
    )
    meta_capi_preview_trouble = fields.Text(
        "What Prevents It", compute="_compute_meta_capi_preview"
    )
    meta_capi_preview_advice = fields.Text(
        "Remarks", compute="_compute_meta_capi_preview"
    )

    # ----------------------------------------------------------------------- the event

    @api.depends("meta_capi_event_name")
    def _compute_meta_capi_standard_event(self):
        for action in self:
            name = action.meta_capi_event_name
            is_standard = name in EVENTS
            action.meta_capi_standard_event = name if is_standard else name and _CUSTOM

    def _inverse_meta_capi_standard_event(self):
        for action in self:
            action._onchange_meta_capi_standard_event()

    @api.onchange("meta_capi_standard_event")
    def _onchange_meta_capi_standard_event(self):
        # "Custom…" leaves the name as it is, for a person to change.
        if self.meta_capi_standard_event in EVENTS:
            self.meta_capi_event_name = self.meta_capi_standard_event

    @api.depends("meta_capi_event_name")
    def _compute_meta_capi_event_rules(self):
        for action in self:
            name = action.meta_capi_event_name
            action.meta_capi_event_rules = name and action._meta_capi_rules(name)

    def _meta_capi_rules(self, name):
        """Return in words what Meta wants of an event of this name."""
        event = EVENTS.get(name)
        if not event:
            lines = [
                _(
                    "A custom event. Meta counts it under this name; to optimise ads for"
                    " it, make a Custom Conversion of it in Events Manager."
                ),
                _(
                    "Its name must not tell anything of a person's health, finances,"
                    " religion, politics, sex life, ethnic origin or offences, nor be of"
                    " children: Meta forbids it."
                ),
            ]
            if standard_name(name):
                known = standard_name(name)
                lines.insert(
                    0,
                    _(
                        "Meta knows %s, spelled exactly like this; this is not it.",
                        known,
                    ),
                )
            return "\n".join(lines)
        lines = [self._meta_capi_event_meanings()[name]]
        if event.required:
            lines.append(_("Required: %s.", self._meta_capi_tell_keys(event.required)))
        if event.taken:
            lines.append(_("Optional: %s.", self._meta_capi_tell_keys(event.taken)))
        if event.is_about_products:
            lines.append(_("For ads of a catalogue: the products, or their IDs."))
        if not (event.required or event.taken):
            lines.append(_("It needs nothing but the person it happened to."))
        return "\n".join(lines)

    def _meta_capi_tell_keys(self, keys):
        """Return keys of ``custom_data`` in words, with Meta's own name."""
        labels = {
            "content_ids": _("IDs of the products"),
            "content_type": _("what the IDs are of"),
            "contents": _("products with quantity and price"),
            "currency": _("currency"),
            "num_items": _("number of items"),
            "predicted_ltv": _("expected lifetime value"),
            "search_string": _("what was searched for"),
            "status": _("whether it succeeded"),
            "value": _("value"),
        }
        return ", ".join(
            label if label == key else f"{label} ({key})"
            for key, label in ((key, labels[key]) for key in keys)
        )

    def _meta_capi_event_meanings(self):
        return {
            "AddPaymentInfo": _("Somebody enters how to pay."),
            "AddToCart": _("Somebody puts a product in the cart."),
            "AddToWishlist": _("Somebody puts a product on the wishlist."),
            "CompleteRegistration": _("Somebody signs up."),
            "Contact": _("Somebody contacts the shop, by phone, e-mail or chat."),
            "CustomizeProduct": _("Somebody configures a product."),
            "Donate": _("Somebody donates."),
            "FindLocation": _("Somebody looks up a place to go to."),
            "InitiateCheckout": _("Somebody begins to check out."),
            "Lead": _("Somebody becomes a lead, such as by filling in a form."),
            "PageView": _("Somebody opens a page."),
            "Purchase": _("Somebody buys."),
            "Schedule": _("Somebody makes an appointment."),
            "Search": _("Somebody searches the website."),
            "StartTrial": _("Somebody begins a free trial."),
            "SubmitApplication": _("Somebody applies for something."),
            "Subscribe": _("Somebody begins a paid subscription."),
            "ViewContent": _("Somebody looks at a product or a page that matters."),
        }

    # ------------------------------------------------------------------- the condition

    @api.depends(
        "state",
        "usage",
        "model_id",
        "binding_model_id",
        "meta_capi_paid_only",
        "base_automation_id.name",
        "base_automation_id.active",
        "base_automation_id.trigger",
        "base_automation_id.trigger_field_ids",
        "base_automation_id.trg_selection_field_id",
        "base_automation_id.trg_field_ref",
        "base_automation_id.trg_date_id",
        "base_automation_id.trg_date_range",
        "base_automation_id.trg_date_range_type",
        "base_automation_id.filter_pre_domain",
        "base_automation_id.filter_domain",
    )
    def _compute_meta_capi_condition(self):
        for action in self:
            lines = []
            if action.state == "meta_capi":
                lines = list(action._meta_capi_tell_condition())
            action.meta_capi_condition = "\n".join(lines)

    def _meta_capi_tell_condition(self):
        """Yield in words, line by line, when the event is sent."""
        automation = self.base_automation_id
        if automation:
            yield from self._meta_capi_tell_automation(automation)
        elif self.usage == "ir_cron":
            yield _(
                "Never: a scheduled action runs on no record. Use an automation rule whose"
                " trigger is a date."
            )
        elif self.binding_model_id:
            yield _(
                "When somebody runs it on records of a list, from the Actions menu."
            )
        else:
            yield _("When it is run on records: by hand, or by another action.")
        if self.meta_capi_paid_only:
            yield _("And only of what is paid in full.")

    def _meta_capi_tell_automation(self, automation):
        trigger = dict(automation._fields["trigger"]._description_selection(self.env))
        words = [trigger.get(automation.trigger, automation.trigger or "")]
        words += filter(None, [self._meta_capi_tell_target(automation)])
        if automation.active:
            yield _("By the automation rule %s:", automation.name or "")
        else:
            yield _("Not now: the automation rule %s is off.", automation.name or "")
        yield _("When: %s", ": ".join(words))
        if automation.trigger_field_ids and automation.trigger not in _TIME_TRIGGERS:
            labels = automation.trigger_field_ids.mapped("field_description")
            yield _("Watched: %s", ", ".join(labels))
        domains = DomainWords(self.env, self.env[automation.model_id.model or "base"])
        before = domains.tell(automation.filter_pre_domain)
        if before:
            yield _("Before the change: %s", before)
        only = domains.tell(automation.filter_domain)
        if only:
            yield _("Only if: %s", only)

    def _meta_capi_tell_target(self, automation):
        """Return what the trigger waits for, if it is more than its name tells."""
        if automation.trigger in _TIME_TRIGGERS:
            return self._meta_capi_tell_time(automation)
        model = automation.trg_field_ref_model_name
        if automation.trg_field_ref and model in self.env:
            record = self.env[model].sudo().browse(automation.trg_field_ref).exists()
            return record.display_name
        return automation.trg_selection_field_id.name

    def _meta_capi_tell_time(self, automation):
        date = automation.trg_date_id.field_description
        if not automation.trg_date_range:
            return date
        unit = automation._fields["trg_date_range_type"]
        unit = dict(unit._description_selection(self.env))
        unit = unit.get(automation.trg_date_range_type)
        delay = f"{automation.trg_date_range} {unit}"
        if not date:
            return delay
        # From Odoo 19 on the delay has a direction of its own.
        if getattr(automation, "trg_date_range_mode", None) == "before":
            return _("%(delay)s before %(date)s", delay=delay, date=date)
        return _("%(delay)s after %(date)s", delay=delay, date=date)

    # --------------------------------------------------------------------- the preview

    @api.depends(
        "state",
        "model_id",
        "meta_capi_event_name",
        "meta_capi_once",
        "meta_capi_paid_only",
        "meta_capi_partner_field",
        "meta_capi_amount_field",
        "meta_capi_currency_field",
        "meta_capi_date_field",
        "meta_capi_preview_ref",
    )
    def _compute_meta_capi_preview(self):
        """Show what the form's values make of a record, with the code that records it."""
        for action in self:
            events, trouble, advice = [], [], []
            if action.state == "meta_capi" and action.meta_capi_event_name:
                record = action._meta_capi_sample()
                if record:
                    advice.append(_("Tried on %s.", record.display_name))
                    action._meta_capi_try(record, events, trouble, advice)
                elif action.model_id:
                    trouble.append(_("There is no record yet to try it on."))
            shown = events[0] if len(events) == 1 else events
            action.meta_capi_preview = bool(shown) and json.dumps(
                shown, indent=2, ensure_ascii=False
            )
            action.meta_capi_preview_trouble = "\n".join(trouble)
            action.meta_capi_preview_advice = "\n".join(advice)

    def _meta_capi_sample(self):
        """Return the record that is chosen, or the newest, that this person may see."""
        model = self.env.get(self.model_id.model)
        if model is None or model._abstract:
            return self.env["base"]
        chosen = self.meta_capi_preview_ref
        if chosen and chosen._name == model._name:
            chosen = model.with_context(active_test=False).search(
                [("id", "=", chosen.id)]
            )
            if chosen:
                return chosen
        return model.search([], order="id desc", limit=1)

    def _meta_capi_try(self, record, events, trouble, advice):
        """Add to the lists what would go to Meta, what is in the way, and what is weak."""
        config = self.env["meta.capi.config"]
        if not config._is_enabled():
            trouble.append(_("Nothing is sent now: the Meta Conversions API is off."))
        builder = EventBuilder(self.env)
        drafts = builder.build_for_action(self, record, needs_pixel=False)
        if not self._meta_capi_wanted_subjects(record):
            trouble.append(
                _(
                    "It would not be sent: the settings of its website want it otherwise."
                )
            )
        elif not drafts:
            trouble.append(_("It would not be sent: it is not paid in full."))
        for draft in filter(None, drafts):
            events.append(draft.event.to_dict())
            if not draft.columns["pixel_id"]:
                trouble.append(_("It would not be sent: no Meta pixel is configured."))
            state, message = map(draft.columns.get, ("state", "error_message"))
            if state == "cancelled":
                trouble.append(_("It would be cancelled: %s", message))
                continue
            if state == "failed":
                trouble.append(_("It would be refused: %s", message))
            elif self._meta_capi_is_on_record(draft):
                trouble.append(_("It is on record already, and is not sent again."))
            advice += self._meta_capi_advise(draft)

    def _meta_capi_is_on_record(self, draft):
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

    def _meta_capi_advise(self, draft):
        """Yield what Meta would find the person with, and is not told."""
        withheld = self.env["meta.capi.config"]._withheld_user_data()
        missing = [
            key for key in CHOSEN_USER_DATA_KEYS if key not in draft.event.user_data
        ]
        unknown = [key for key in missing if key not in withheld]
        labels = self._meta_capi_user_data_labels()
        if unknown:
            yield _(
                "Not known of the customer: %s.", ", ".join(map(labels.get, unknown))
            )
        if withheld:
            names = ", ".join(map(labels.get, filter(withheld.__contains__, missing)))
            yield _("Withheld by the settings: %s.", names)
        if draft.columns.get("weakness"):
            yield draft.columns["weakness"]

    def _meta_capi_user_data_labels(self):
        return {
            "em": _("e-mail"),
            "ph": _("phone"),
            "fn": _("first name"),
            "ln": _("last name"),
            "ct": _("city"),
            "st": _("state"),
            "zp": _("postcode"),
            "country": _("country"),
            "external_id": _("customer ID"),
            "client_ip_address": _("IP address"),
            "client_user_agent": _("browser"),
            "fbc": _("the click on the ad (_fbc)"),
            "fbp": _("the browser's ID (_fbp)"),
        }
