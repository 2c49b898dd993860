import json
from datetime import datetime, timezone

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import hmac

from ..common.standard_events import EVENTS, PURCHASE
from ..recording.action_origin import ORIGIN_KEY, ActionOrigin
from .action_condition import ActionCondition
from .action_preview import ActionPreview
from .event_words import EventWords

_CUSTOM = "custom"
_MESSAGING = "business_messaging"

# What can be taken from a field of one's own choice.
_ROLES = ("partner", "amount", "currency", "date")
_NUMBERS = ("monetary", "float", "integer")
_DATES = ("date", "datetime")


def _is_picked_by(role, field):
    """Tell whether a field is of the kind that can be picked for ``role``."""
    if role in ("partner", "currency"):
        return field.type == "many2one" and field.comodel_name == f"res.{role}"
    return field.type in (_NUMBERS if role == "amount" else _DATES)


class IrActionsServer(models.Model):
    """Server actions of the type *Send Meta Event*: what is sent, and of whom.

    A record tells by itself, with its methods in ``base.py``; a field that is picked
    here comes first. The name of a picked field is what counts: it outlives the field,
    so that an action that lost one says so, and does not quietly tell something else.
    """

    _inherit = "ir.actions.server"

    state = fields.Selection(
        selection_add=[("meta_capi", "Send Meta Event")],
        ondelete={"meta_capi": "cascade"},
    )
    meta_capi_event_name = fields.Char(
        "Meta Event Name",
        help="A standard event of Meta, such as Purchase or Lead, or a name of your own."
        " Meta forbids names that tell anything of a person's health, finances, religion,"
        " politics, sex life, ethnic origin or offences, and events of children.",
    )
    meta_capi_once = fields.Boolean(
        "Once for Each Record",
        help="However often the action runs on a record, Meta gets one event of this name"
        " about it. A Purchase of an order is sent once in any case.",
    )
    meta_capi_paid_only = fields.Boolean(
        "Only What Is Paid in Full",
        help="An order is paid in full when its payment transactions, authorized ones"
        " included, or its paid invoices cover the total.",
    )
    # Not "app": Meta wants of it what only the app itself can tell.
    meta_capi_action_source = fields.Selection(
        [
            ("website", "On the website"),
            ("email", "By e-mail"),
            ("phone_call", "By phone"),
            ("chat", "In a chat"),
            ("physical_store", "In a shop, in person"),
            ("system_generated", "By itself, such as a renewal"),
            (_MESSAGING, "In a messenger of Meta's"),
            ("other", "Elsewhere"),
        ],
        "Where It Happened",
        help="The event's action_source. Empty: as the record tells; on the website if a"
        " visitor made it there, else elsewhere.",
    )
    meta_capi_messaging_channel = fields.Selection(
        [
            ("whatsapp", "WhatsApp"),
            ("messenger", "Messenger"),
            ("instagram", "Instagram"),
        ],
        "Messenger",
        help="The event's messaging_channel.",
    )
    meta_capi_partner_field = fields.Char("Name of the Customer's Field")
    meta_capi_amount_field = fields.Char("Name of the Value's Field")
    meta_capi_currency_field = fields.Char("Name of the Currency's Field")
    meta_capi_date_field = fields.Char("Name of the Time's Field")
    meta_capi_partner_field_id = fields.Many2one(
        "ir.model.fields",
        "Customer From",
        compute="_compute_meta_capi_field_ids",
        inverse="_inverse_meta_capi_partner_field_id",
        domain="[('model_id', '=', model_id), ('ttype', '=', 'many2one'),"
        " ('relation', '=', 'res.partner')]",
        help="Empty: whom the record itself knows as its customer.",
    )
    meta_capi_amount_field_id = fields.Many2one(
        "ir.model.fields",
        "Value From",
        compute="_compute_meta_capi_field_ids",
        inverse="_inverse_meta_capi_amount_field_id",
        domain="[('model_id', '=', model_id),"
        " ('ttype', 'in', ('monetary', 'float', 'integer'))]",
        help="Empty: what the record itself is worth, if it knows.",
    )
    meta_capi_currency_field_id = fields.Many2one(
        "ir.model.fields",
        "Currency From",
        compute="_compute_meta_capi_field_ids",
        inverse="_inverse_meta_capi_currency_field_id",
        domain="[('model_id', '=', model_id), ('ttype', '=', 'many2one'),"
        " ('relation', '=', 'res.currency')]",
        help="Empty: the currency of the value, or else of the company.",
    )
    meta_capi_date_field_id = fields.Many2one(
        "ir.model.fields",
        "Time From",
        compute="_compute_meta_capi_field_ids",
        inverse="_inverse_meta_capi_date_field_id",
        domain="[('model_id', '=', model_id), ('ttype', 'in', ('date', 'datetime'))]",
        help="Empty: the moment at which the action runs. Meta takes events of the last"
        " seven days.",
    )

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
    meta_capi_pre_domain = fields.Char(
        "Before the Change", related="base_automation_id.filter_pre_domain"
    )
    meta_capi_domain = fields.Char(
        "Only If", related="base_automation_id.filter_domain"
    )
    # Computed: of any other reference Odoo 17 asks PostgreSQL when contacts are merged.
    meta_capi_preview_ref = fields.Reference(
        selection="_selection_target_model",
        string="Record to Try It On",
        compute="_compute_meta_capi_preview_ref",
        readonly=False,
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

    @api.constrains("meta_capi_action_source", "meta_capi_messaging_channel")
    def _check_meta_capi_messaging_channel(self):
        for action in self:
            is_messaging = action.meta_capi_action_source == _MESSAGING
            if is_messaging and not action.meta_capi_messaging_channel:
                raise ValidationError(
                    _("Choose the messenger in which the event happened.")
                )

    # ------------------------------------------------------------------------- the form

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

    @api.onchange("state")
    def _onchange_meta_capi_state(self):
        # What somebody makes by hand tells nothing twice unless they want it so.
        if self.state == "meta_capi" and not self._origin:
            self.meta_capi_once = True

    @api.depends("meta_capi_event_name")
    def _compute_meta_capi_event_rules(self):
        for action in self:
            name = action.meta_capi_event_name
            action.meta_capi_event_rules = name and EventWords(self.env).rules(name)

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
    )
    def _compute_meta_capi_condition(self):
        for action in self:
            lines = []
            if action.state == "meta_capi":
                lines = list(ActionCondition(action).lines())
            action.meta_capi_condition = "\n".join(lines)

    @api.depends(
        "state",
        "model_id",
        "meta_capi_event_name",
        "meta_capi_once",
        "meta_capi_paid_only",
        "meta_capi_action_source",
        "meta_capi_messaging_channel",
        "meta_capi_partner_field",
        "meta_capi_amount_field",
        "meta_capi_currency_field",
        "meta_capi_date_field",
        "meta_capi_preview_ref",
    )
    def _compute_meta_capi_preview(self):
        """Show what the form's values make of a record, with the code that records it."""
        for action in self:
            preview = ActionPreview(action)
            events = preview.events
            shown = events[0] if len(events) == 1 else events
            action.meta_capi_preview = bool(shown) and json.dumps(
                shown, indent=2, ensure_ascii=False
            )
            action.meta_capi_preview_trouble = "\n".join(preview.trouble)
            action.meta_capi_preview_advice = "\n".join(preview.advice)

    def _compute_meta_capi_preview_ref(self):
        """Nothing is chosen until somebody chooses it, in the form."""
        self.meta_capi_preview_ref = False

    # ------------------------------------------------------------- the picked fields

    @api.depends(
        "model_id",
        "meta_capi_partner_field",
        "meta_capi_amount_field",
        "meta_capi_currency_field",
        "meta_capi_date_field",
    )
    def _compute_meta_capi_field_ids(self):
        model_fields = self.env["ir.model.fields"].sudo()
        for action in self:
            for role in _ROLES:
                name = action[f"meta_capi_{role}_field"]
                model = action.model_id.model
                action[f"meta_capi_{role}_field_id"] = (
                    model_fields._get(model, name) if model and name else False
                )

    # Each by itself: while one is written, Odoo computes none of the others.

    def _inverse_meta_capi_partner_field_id(self):
        self._meta_capi_take_name("partner")

    def _inverse_meta_capi_amount_field_id(self):
        self._meta_capi_take_name("amount")

    def _inverse_meta_capi_currency_field_id(self):
        self._meta_capi_take_name("currency")

    def _inverse_meta_capi_date_field_id(self):
        self._meta_capi_take_name("date")

    @api.onchange(
        "meta_capi_partner_field_id",
        "meta_capi_amount_field_id",
        "meta_capi_currency_field_id",
        "meta_capi_date_field_id",
    )
    def _onchange_meta_capi_field_ids(self):
        for role in _ROLES:
            self._meta_capi_take_name(role)

    @api.onchange("model_id")
    def _onchange_meta_capi_model_id(self):
        for role in _ROLES:
            self[f"meta_capi_{role}_field"] = self[f"meta_capi_{role}_field_id"].name

    def _meta_capi_take_name(self, role):
        """Keep the name of the field that is picked; a lost one goes by its name alone."""
        for action in self:
            picked = action[f"meta_capi_{role}_field_id"].name
            name = action[f"meta_capi_{role}_field"]
            model = self.env.get(action.model_id.model)
            is_lost = (
                name and not picked and (model is None or name not in model._fields)
            )
            if name != picked and not is_lost:
                action[f"meta_capi_{role}_field"] = picked

    # ------------------------------------------------------------------------- running

    def _get_eval_context(self, action=None):
        """Mark the action's own ``env`` with the records it runs on.

        ``send_event`` called by the action's code then knows what the event is about.
        The ``active_id`` of the context would not tell: every click carries one.
        """
        eval_context = super()._get_eval_context(action=action)
        if "env" in eval_context:
            records = eval_context.get("records") or eval_context.get("record")
            origin = records and ActionOrigin(records._name, tuple(records.ids))
            env = eval_context["env"]
            eval_context["env"] = env(
                context={**env.context, ORIGIN_KEY: origin or None}
            )
        return eval_context

    def _run_action_meta_capi_multi(self, eval_context=None):
        """Tell Meta of the records the action runs on: a scheduled action has none."""
        records = eval_context.get("records") or eval_context.get("record")
        if records and self._meta_capi_is_purchase_at_delivery():
            # Each line of an order sets it off, and each change of one later on.
            records = records.filtered(
                lambda line: not line.order_id.meta_capi_purchase_recorded_at
            )
        if records:
            self.env["meta.conversions.api"]._record_for_action(self, records)

    def _meta_capi_is_purchase_at_delivery(self):
        is_at_delivery = self.env["meta.capi.purchase"]._trigger_of(self) == "delivered"
        return is_at_delivery and (self.meta_capi_event_name or "").strip() == PURCHASE

    def _meta_capi_subjects(self, record):
        """Return what the event is about that ``record`` sets off; maybe nothing."""
        subjects = self._meta_capi_wanted_subjects(record)
        if self.meta_capi_paid_only:
            subjects = subjects.filtered(lambda subject: subject._meta_capi_is_paid())
        return subjects

    def _meta_capi_wanted_subjects(self, record):
        """Return what ``record`` sets off, but of the websites that want it otherwise."""
        event_name = (self.meta_capi_event_name or "").strip()
        subjects = record._meta_capi_subjects(event_name)
        purchase = self.env["meta.capi.purchase"]
        trigger = purchase._trigger_of(self)
        if not trigger:
            return subjects
        return subjects.filtered(
            lambda subject: purchase._sends(trigger, subject._meta_capi_website())
        )

    def _meta_capi_pick(self, origin, event_name, problems):
        """Return what the action tells by itself, and the picked fields of ``origin``.

        Each key comes in place of what the record tells by itself: ``partner``,
        ``event_id``, ``custom_data``, which is added to the record's, and ``arguments``,
        those of ``send_event`` that are known.

        :param problems: takes note of the fields that cannot be used
        """
        names = {
            role: self._meta_capi_usable_field(role, origin, problems)
            for role in _ROLES
        }
        picked, custom_data, arguments = {}, {}, {}
        if self.meta_capi_action_source:
            arguments["action_source"] = self.meta_capi_action_source
        if self.meta_capi_action_source == _MESSAGING:
            arguments["messaging_channel"] = self.meta_capi_messaging_channel
        if names["partner"]:
            picked["partner"] = origin[names["partner"]]
        if names["amount"]:
            custom_data["value"] = origin[names["amount"]]
        if names["amount"] or names["currency"]:
            custom_data["currency"] = self._meta_capi_currency(origin, names).name
        if custom_data:
            picked["custom_data"] = custom_data
        if self._meta_capi_is_purchase_at_delivery():
            arguments["event_time"] = origin._meta_capi_delivered_at()
        if names["date"]:
            arguments["event_time"] = self._meta_capi_time(origin[names["date"]])
        if self.meta_capi_once and origin._meta_capi_event_id(event_name) is None:
            key = (origin._name, origin.id, event_name)
            picked["event_id"] = hmac(self.env(su=True), "meta_capi", key)
        picked["arguments"] = arguments
        return picked

    def _meta_capi_usable_field(self, role, origin, problems):
        """Return the name of the field that is picked for ``role``, or None."""
        name = self[f"meta_capi_{role}_field"]
        if not name:
            return None
        field = origin._fields.get(name)
        if field and _is_picked_by(role, field):
            return name
        # A Purchase may be about another record than the one the action runs on.
        model = self.env["ir.model"]._get(origin._name).name
        if field:
            reason = _("is of another kind than the server action needs")
        elif origin._name != self.model_id.model:
            reason = _("is not a field of %s, which the event is about", model)
        else:
            reason = _("is no longer a field of %s", model)
        problems.note(name, _("%s: choose another on the server action", reason))
        return None

    def _meta_capi_currency(self, origin, names):
        """Return the currency that is picked, the value's own, or the company's."""
        if names["currency"]:
            return origin[names["currency"]]
        amount = origin._fields[names["amount"]]
        own = amount.get_currency_field(origin) if amount.type == "monetary" else None
        name = own or "currency_id"
        field = origin._fields.get(name)
        if field and field.comodel_name == "res.currency" and origin[name]:
            return origin[name]
        return (origin._meta_capi_company() or self.env.company).currency_id

    def _meta_capi_time(self, value):
        """Return the time of an event from a field; that of today is now."""
        if not value or isinstance(value, datetime):
            return value or None
        today = datetime.now(timezone.utc).date()
        if value in (today, fields.Date.context_today(self)):
            return None
        return value
