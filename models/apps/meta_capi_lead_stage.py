from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL, ormcache

from ...capi.event import read_event
from ...capi.states import INVALID
from ..common.border import border
from ..outbox.event_table import EventTable

WON, LOST = "won", "lost"
# Of a lead: what decides on where it is.
WATCHED = frozenset(("stage_id", "active", "probability"))
# In the context: who makes the lead tells of it later, once all is known of it.
TOLD_LATER = "meta_capi__stages_later"


class MetaCapiLeadStage(models.Model):
    """Which events the stages of CRM's leads are for Meta; none as delivered.

    Each lead tells of an event once, whatever way it goes, and whichever of several
    stages the event belongs to.
    """

    _name = "meta.capi.lead.stage"
    _description = "Event of a Lead's Stage, for Meta"
    _rec_name = "event_name"
    _order = "id"

    stage = fields.Selection(
        "_selection_stage",
        required=True,
        help="A stage of the pipeline, or what the lead ends with.",
    )
    event_name = fields.Char(
        required=True,
        help="As Meta is to know it: a name of your own, such as QualifiedLead. Stages"
        " with the same name are one event.",
    )

    @api.model
    def _selection_stage(self):
        stages = ()
        if "crm.stage" in self.env:
            stages = self.env["crm.stage"].sudo().search([])
        return [
            *((str(stage.id), stage.display_name) for stage in stages),
            (WON, _("Won")),
            (LOST, _("Lost")),
        ]

    @api.constrains("stage")
    def _check_stage(self):
        # Odoo 19 compares with no selection that a method returns.
        known = dict(self._selection_stage())
        for line in self:
            if line.stage not in known:
                raise ValidationError(_("There is no such stage."))
            if self.search_count([("stage", "=", line.stage)], limit=2) > 1:
                raise ValidationError(_("Each stage is one event: change its line."))

    @api.constrains("event_name")
    def _check_event_name(self):
        for line in self:
            _event, problems = read_event({"event_name": line.event_name}, now=0)
            said = [p for p in problems if p.field == "event_name"]
            if said:
                raise ValidationError(
                    _("Meta would refuse the name: it %s.", said[0].reason)
                )

    @api.model_create_multi
    def create(self, vals_list):
        lines = super().create(vals_list)
        self.env.registry.clear_cache()
        return lines

    def write(self, vals):
        result = super().write(vals)
        self.env.registry.clear_cache()
        return result

    def unlink(self):
        result = super().unlink()
        self.env.registry.clear_cache()
        return result

    # ----------------------------------------------------------------- what leads tell

    @api.model
    @ormcache()
    def _names(self):
        """Return the names of the events, by stage."""
        lines = self.sudo().search_read([], ["stage", "event_name"])
        return {line["stage"]: line["event_name"].strip() for line in lines}

    @api.model
    def _is_event(self, event_name):
        """Tell whether a stage of a lead is the event of this name."""
        return event_name in self._names().values()

    @api.model
    def _names_of(self, leads):
        """Return by lead the names of what it tells by where it is.

        Nothing where no stage is an event; a lost lead is in no stage any more.
        """
        names = self._names()
        if not names or not self.env["meta.capi.config"]._is_enabled():
            return {}
        return {
            lead.id: {names[stage] for stage in _stages_of(lead) if stage in names}
            for lead in leads.sudo()
        }

    @api.model
    def _tell_of_new(self, leads):
        """Tell Meta of the stages that new leads are in.

        What a visitor makes is made by a browser: it is kept with the lead, and so is
        whether it lets us, for what becomes of the lead later.
        """
        if self._names():
            self.env["meta.capi.visit"]._keep(leads)
            self._tell(leads)

    @api.model
    def _tell(self, leads, before=()):
        """Tell Meta of the stages that leads are in now and were not before.

        What breaks here breaks nothing of CRM's.

        :param before: what ``_names_of`` returned then; nothing of leads that are new
        """
        if not self._names():
            return
        with border(self.env.cr, "The stages of leads could not be told of"):
            before = dict(before)
            told = [
                (lead_id, name)
                for lead_id, names in self._names_of(leads).items()
                for name in sorted(names - before.get(lead_id, set()))
            ]
            known = self._on_record(leads, {name for _lead_id, name in told})
            told = [pair for pair in told if pair not in known]
            if told:
                self.env["meta.conversions.api"].send_events(
                    list(self._events(leads.sudo(), told))
                )

    def _events(self, leads, told):
        """Yield the arguments of ``send_event`` for pairs of a lead's id and a name."""
        of_company = self._only_websites(leads.company_id)
        for lead_id, name in told:
            lead = leads.browse(lead_id)
            event = lead._meta_capi_stage_event(name)
            if not event.get("website"):
                event["website"] = of_company.get(lead.company_id)
            yield event

    def _only_websites(self, companies):
        """Return, by company, the website of each that has one and no more."""
        of_companies = [("company_id", "in", companies.ids)]
        websites = companies.env["website"].search(of_companies)
        return {
            company: own
            for company, own in websites.grouped("company_id").items()
            if len(own) == 1
        }

    @api.model
    def _take_over(self, lead, merged):
        """Let what leads have told that are merged into another be told by that one.

        :param merged: the leads that are about to be deleted
        """
        names = set(self._names().values())
        told = {name for _lead_id, name in self._on_record(merged, names)}
        table = EventTable(self.env(su=True))
        table.take_over(lead, merged)
        told |= table.names_once(
            (name, other._meta_capi_event_id(name))
            for other in merged
            for name in names
        )
        table.note_once((name, lead._meta_capi_event_id(name)) for name in told)

    def _on_record(self, leads, event_names):
        """Return the pairs of a lead's id and a name that the log has already.

        Under whatever id, and for whichever pixel: what a form of the website has told,
        and what a lead has told that was merged into this one. What was invalid is
        tried again.
        """
        if not event_names:
            return set()
        self.env.cr.execute(
            SQL(
                "SELECT res_id, event_name FROM meta_capi_event"
                " WHERE res_model = %s AND res_id IN %s AND event_name IN %s"
                " AND failure_reason IS DISTINCT FROM %s",
                leads._name,
                tuple(leads.ids),
                tuple(event_names),
                INVALID,
            )
        )
        return set(self.env.cr.fetchall())


def _stages_of(lead):
    """Return the keys of where a lead is: those of its stage and of its end.

    As CRM sees it, in all series: lost is what is archived without a chance.
    """
    if not lead.active and not lead.probability:
        return (LOST,)
    stage = lead.stage_id
    return (str(stage.id), WON) if stage.is_won else (str(stage.id),)
