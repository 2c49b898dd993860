from odoo import _

from ..common.standard_events import PURCHASE

_TIME_TRIGGERS = ("on_time", "on_time_created", "on_time_updated")


class ActionCondition:
    """When a server action runs, in words; its rule's domains Odoo shows by itself."""

    def __init__(self, action):
        self.env = action.env
        self.action = action

    def lines(self):
        """Yield in words, line by line, when the event is sent."""
        action = self.action
        automation = action.base_automation_id
        if automation:
            yield from self._tell_automation(automation)
        elif action.usage == "ir_cron":
            yield _(
                "Never: a scheduled action runs on no record. Use an automation rule whose"
                " trigger is a date."
            )
        elif action.binding_model_id:
            yield _(
                "When somebody runs it on records of a list, from the Actions menu."
            )
        else:
            yield _("When it is run on records: by hand, or by another action.")
        is_of_line = action.model_id.model == "sale.order.line"
        if is_of_line and action.meta_capi_event_name == PURCHASE:
            yield _("And only once the whole order is delivered.")
        if action.meta_capi_paid_only:
            yield _("And only of what is paid in full.")

    def _tell_automation(self, automation):
        trigger = dict(automation._fields["trigger"]._description_selection(self.env))
        words = [trigger.get(automation.trigger, automation.trigger or "")]
        words += filter(None, [self._tell_target(automation)])
        if automation.active:
            yield _("By the automation rule %s:", automation.name or "")
        else:
            yield _("Not now: the automation rule %s is off.", automation.name or "")
        yield _("When: %s", ": ".join(words))
        if automation.trigger_field_ids and automation.trigger not in _TIME_TRIGGERS:
            labels = automation.trigger_field_ids.mapped("field_description")
            yield _("Watched: %s", ", ".join(labels))

    def _tell_target(self, automation):
        """Return what the trigger waits for, if it is more than its name tells."""
        if automation.trigger in _TIME_TRIGGERS:
            return self._tell_time(automation)
        model = automation.trg_field_ref_model_name
        if automation.trg_field_ref and model in self.env:
            record = self.env[model].sudo().browse(automation.trg_field_ref).exists()
            return record.display_name
        return automation.trg_selection_field_id.name

    def _tell_time(self, automation):
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
