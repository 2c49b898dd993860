from odoo import _, api, models
from odoo.exceptions import UserError

from ..common.standard_events import EVENTS

_MODULE = "ih_meta_conversions_api"
_AUTOMATIONS = ("automation_money_back_credited", "automation_money_back_cancelled")


class MetaCapiMoneyBack(models.AbstractModel):
    """Whether Meta is told of money that is given back, and by which event.

    Meta cannot subtract: it is an event of its own, with a positive value and the ID of
    the order. The automations that are shipped for credit notes and cancelled orders
    decide, and so does the event name of their actions: the settings arm and name them,
    and so may a person. The counter, which has no automation, does as they do.
    """

    _name = "meta.capi.money.back"
    _description = "Whether Meta Is Told of Money Back"

    @api.model
    def _is_on(self):
        return any(self._automations().mapped("active"))

    @api.model
    def _name_of_event(self):
        """Return the name that the settings show and the counter uses, or ``""``.

        That of a rule which is armed, where a person has given them several.
        """
        automations = self._automations().sorted("active", reverse=True)
        actions = automations.action_server_ids
        return next(filter(None, actions.mapped("meta_capi_event_name")), "")

    @api.model
    def _tells(self, event_name):
        """Tell whether it is the event of money back: no standard one, and switched on."""
        if not event_name or event_name in EVENTS:
            return False
        armed = self._automations().filtered("active")
        names = armed.action_server_ids.mapped("meta_capi_event_name")
        return event_name in map(str.strip, filter(None, names))

    @api.model
    def _arm(self, is_wanted, event_name):
        """Arm or disarm what is shipped, and name its event.

        :raise UserError: there is nothing to arm, or Meta knows the name for something
            else
        """
        event_name = (event_name or "").strip()
        if (is_wanted, event_name) == (self._is_on(), self._name_of_event()):
            # What a person has armed is left as it is.
            return
        automations = self._automations()
        if is_wanted and len(automations) < len(_AUTOMATIONS):
            raise UserError(
                _(
                    "The automation rule behind this choice was deleted. Update the app Meta"
                    " Conversions API Integration to have it again."
                )
            )
        if is_wanted and event_name in {"", *EVENTS}:
            raise UserError(
                _(
                    "Money back needs an event name that is none of Meta's standard ones."
                )
            )
        if event_name:
            automations.action_server_ids.meta_capi_event_name = event_name
        changed = automations.filtered_domain([("active", "!=", is_wanted)])
        changed.active = is_wanted

    @api.model
    def _automations(self):
        """Return the automations that are shipped for it; a user may delete them."""
        data = self.env["ir.model.data"]
        ids = [data._xmlid_to_res_id(f"{_MODULE}.{name}") for name in _AUTOMATIONS]
        return self.env["base.automation"].sudo().browse(filter(None, ids)).exists()
