from lxml import etree

from odoo import api
from odoo.tools import hmac

from ...capi.leads import ACTION_SOURCE, clean_lead_id, stage_data
from ..common.border import border
from ..common.standard_events import PURCHASE
from .app_model import AppModel
from .meta_capi_lead_stage import TOLD_LATER, WATCHED

_LEAD_ID = "meta_capi_lead_id"


class CrmLead(AppModel):
    """A lead, and what it tells Meta on its way to a customer."""

    _meta_capi_joins = "crm.lead"

    def _meta_capi_user_data(self):
        """Return also the id that Meta gave: nothing leads to the person more surely."""
        user_data = super()._meta_capi_user_data()
        if self.meta_capi_lead_id:
            user_data["lead_id"] = int(self.meta_capi_lead_id)
        return user_data

    def _meta_capi_event_id(self, event_name):
        """Return the id of an event that a stage is; only the server can know it."""
        self.ensure_one()
        if self.env["meta.capi.lead.stage"]._is_event(event_name):
            key = (self._name, self.id, event_name)
            return hmac(self.env(su=True), "meta_capi", key)
        return super()._meta_capi_event_id(event_name)

    def _meta_capi_stage_event(self, event_name):
        """Return the arguments of ``send_event`` for a stage that the lead has reached.

        In the form that Meta's Conversion Leads asks for. Before it is won, what a lead
        is worth is a guess; Meta takes no Purchase without.
        """
        self.ensure_one()
        custom_data = stage_data()
        is_worth = self.stage_id.is_won and self.active and self.expected_revenue > 0
        if is_worth or event_name == PURCHASE:
            custom_data["value"] = max(self.expected_revenue, 0)
            custom_data["currency"] = self.company_currency.name
        return {
            "event_name": event_name,
            "origin": self,
            "website": self._meta_capi_stage_website(),
            "action_source": ACTION_SOURCE,
            "custom_data": custom_data,
        }

    def _meta_capi_stage_website(self):
        """Return the website by which the lead came, whose pixel is told of its stages.

        Maybe empty: then it is that of the company, if it has one website.
        """
        self.ensure_one()
        if "visitor_ids" in self._fields:  # of another app
            return self.visitor_ids.website_id[:1]
        return self.env["website"]

    @api.model
    def _get_view(self, view_id=None, view_type="form", **options):
        """Show the id that Meta gave beside where the lead comes from."""
        arch, view = super()._get_view(view_id, view_type, **options)
        if view_type == "form":
            for source in arch.xpath("//group/field[@name='source_id']"):
                source.addnext(etree.Element("field", name=_LEAD_ID))
        elif view_type == "search":
            for field in arch.xpath("/search/field[last()]"):
                field.addnext(etree.Element("field", name=_LEAD_ID))
        return arch, view


class CrmLeadOnItsWay(AppModel):
    """Where a lead moves on: told once CRM has done all that belongs to it."""

    _meta_capi_joins = "crm.lead"
    _meta_capi_is_in_front = True

    @api.model_create_multi
    def create(self, vals_list):
        leads = super().create([_with_clean_id(vals) for vals in vals_list])
        if not self.env.context.get(TOLD_LATER):
            self.env["meta.capi.lead.stage"]._tell_of_new(leads)
        return leads

    def write(self, vals):
        if WATCHED.isdisjoint(vals):
            return super().write(_with_clean_id(vals))
        stages = self.env["meta.capi.lead.stage"]
        before = None
        with border(self.env.cr, "The stages of leads could not be read"):
            before = stages._names_of(self)
        result = super().write(_with_clean_id(vals))
        if before is not None:
            stages._tell(self, before)
        return result

    def _merge_get_fields(self):
        return [*super()._merge_get_fields(), _LEAD_ID]

    def _merge_dependences(self, opportunities):
        """Take over what the merged leads have told, and the browser that made one."""
        result = super()._merge_dependences(opportunities)
        with border(self.env.cr, "The events of merged leads could not be taken over"):
            self.env["meta.capi.browser"]._take_over(self, opportunities)
            self.env["meta.capi.lead.stage"]._take_over(self, opportunities)
        return result


def _with_clean_id(vals):
    """Return the values with Meta's id as it is kept, however a file has written it."""
    if type(vals.get(_LEAD_ID)) is not str:
        return vals
    return {**vals, _LEAD_ID: clean_lead_id(vals[_LEAD_ID])}
