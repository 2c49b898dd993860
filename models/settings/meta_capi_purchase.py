from odoo import _, api, models
from odoo.exceptions import UserError
from odoo.tools import frozendict, ormcache

from ..common.border import border
from . import setting

# By which automations that are shipped a Purchase is sent, in the order of an order's
# life: of several triggers that are armed the first one counts.
AUTOMATIONS = {
    "confirmed": ("automation_purchase",),
    "paid": ("automation_purchase_paid_online", "automation_purchase_paid_invoice"),
    "invoiced": ("automation_purchase_invoiced",),
    "delivered": ("automation_purchase_delivered",),
}
_MODULE = "ih_meta_conversions_api"


class MetaCapiPurchase(models.AbstractModel):
    """When the Purchase of an order is sent: for all websites, or by each of its own.

    The automations that are shipped decide, and a person may arm or disarm each. One is
    armed as soon as any website wants it, and leaves alone the orders of those that
    want another. The parameter tells apart what is armed for all from what is armed for
    some; where no website has a value of its own, it says nothing.
    """

    _name = "meta.capi.purchase"
    _description = "When the Purchase of an Order Is Sent"

    @api.model
    def _trigger(self, website=None):
        """Return when Purchases of a website are sent, or ``never``."""
        return self._own_trigger(website) or self._common()

    @api.model
    def _common(self):
        """Return when Purchases of websites without a value of their own are sent.

        Of several that are armed the first one in an order's life counts.
        """
        armed = set(self._automations(*AUTOMATIONS).filtered("active").ids)
        for trigger, names in AUTOMATIONS.items():
            is_armed = not armed.isdisjoint(map(self._automation_id, names))
            if is_armed and self._sends(trigger):
                return trigger
        return "never"

    @api.model
    def _sends(self, trigger, website=None):
        """Tell whether what is armed at ``trigger`` is for this website's orders."""
        own = self._own_trigger(website)
        if own:
            return own == trigger
        return trigger not in self._own_triggers().values() or trigger == self.env[
            "meta.capi.config"
        ]._get(setting.PURCHASE_TRIGGER)

    @api.model
    def _own_trigger(self, website):
        # In a form that is not saved yet it is a copy.
        return website and self._own_triggers().get(website._origin.id)

    @api.model
    @ormcache()
    def _own_triggers(self):
        """Return what websites have chosen of their own, by their ids."""
        websites = self.env["website"].sudo().search([])
        return frozendict(
            (website.id, website.meta_capi_purchase_trigger)
            for website in websites
            if website.meta_capi_purchase_trigger
        )

    @api.model
    def _keep_common(self, trigger):
        """Keep what counts for all, whatever the websites have chosen of their own."""
        self.env.registry.clear_cache()
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param(setting.PURCHASE_TRIGGER.key, trigger)

    @api.model
    def _arm(self):
        """Arm what is chosen for all or by a website, and nothing else of what is shipped.

        Without a choice for all, what a person has armed is left as it is.
        """
        chosen = self.env["meta.capi.config"]._get(setting.PURCHASE_TRIGGER)
        if not chosen:
            return
        wanted = {chosen, *self._own_triggers().values()}
        for trigger, names in AUTOMATIONS.items():
            automations = self._automations(trigger)
            is_wanted = trigger in wanted
            if is_wanted and len(automations) < len(names):
                raise UserError(
                    _(
                        "The automation rule behind this choice was deleted. Update the app Meta"
                        " Conversions API Integration to have it again."
                    )
                )
            automations.filtered_domain(
                [("active", "!=", is_wanted)]
            ).active = is_wanted

    @api.model
    def _run_at_the_end(self, trigger, records):
        """Run what is armed at ``trigger`` on these records once all else is done.

        For what no automation can watch: only then it is known what has become of the
        records in this transaction.
        """
        if not (records and any(self._automations(trigger).mapped("active"))):
            return

        def run():
            with border(self.env.cr, f"{records} could set off no Purchase"):
                there = records.exists()
                for automation in self._automations(trigger).filtered("active"):
                    automation._process(automation._filter_post(there))
                # Before Odoo 19 nothing is written any more after this.
                self.env.flush_all()

        self.env.cr.precommit.add(run)

    @api.model
    def _automations(self, *triggers):
        """Return the automations that are shipped for these; a user may delete them."""
        names = [name for trigger in triggers for name in AUTOMATIONS.get(trigger, ())]
        ids = map(self._automation_id, names)
        return self.env["base.automation"].browse(filter(None, ids)).exists()

    @api.model
    def _automation_id(self, name):
        return self.env["ir.model.data"]._xmlid_to_res_id(f"{_MODULE}.{name}")

    @api.model
    def _trigger_of(self, action):
        """Return at what moment an action that is shipped runs; of any other, None."""
        automation_id = action.sudo().base_automation_id.id
        if not automation_id:
            return None
        for trigger, names in AUTOMATIONS.items():
            if automation_id in map(self._automation_id, names):
                return trigger
        return None
