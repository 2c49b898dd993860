from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.tools import SQL

from ..common.refusal import Refusal
from ..outbox.event_table import EventTable
from ..settings import setting

# How a partner is reached: with none of these left, nobody is.
_REACH = ("email", "phone", "mobile")


class ResPartner(models.Model):
    _inherit = "res.partner"

    meta_capi_opt_out = fields.Boolean(
        "No Events to Meta",
        help="The customer objects: nothing about this customer is sent to Meta, whatever"
        " an automation or the website's cookies say. What waits is cancelled.",
    )
    meta_capi_event_count = fields.Integer(
        "Meta Events Sent",
        compute="_compute_meta_capi_events",
        groups="ih_meta_conversions_api.group_meta_capi_user",
    )
    meta_capi_last_event_date = fields.Date(
        "Last Meta Event Sent",
        compute="_compute_meta_capi_events",
        groups="ih_meta_conversions_api.group_meta_capi_user",
    )

    meta_capi_is_nobody = fields.Boolean(
        "Nobody in Particular to Meta", compute="_compute_meta_capi_is_nobody"
    )

    @api.depends("name")
    def _compute_meta_capi_is_nobody(self):
        """Tell who stands for nobody in particular: it would make all customers one.

        That is the partner of a website's public user, a company's own, OdooBot, the
        template of users to come, and the one that the express checkout of the shop
        makes of an address until it learns whose it is.
        """
        nobodies = self._meta_capi_nobodies()
        for partner in self:
            partner.meta_capi_is_nobody = (
                partner.id in nobodies or partner._meta_capi_is_named_after_an_order()
            )

    def _meta_capi_nobodies(self):
        """Return the ids of those who are a company's own, or a certain kind of user's.

        Not by search, which would write what is pending.
        """
        # Most customers are neither, and PostgreSQL takes much longer to plan the question
        # of which kind than to answer this one.
        self.env.cr.execute(
            SQL(
                "SELECT partner_id, NULL FROM res_company WHERE partner_id IN %(ids)s"
                " UNION ALL"
                " SELECT partner_id, id FROM res_users WHERE partner_id IN %(ids)s",
                ids=tuple(self.ids) or (0,),
            )
        )
        found = self.env.cr.fetchall()
        nobodies = {partner_id for partner_id, user_id in found if not user_id}
        user_ids = tuple(user_id for _partner_id, user_id in found if user_id)
        if user_ids:
            self.env.cr.execute(
                SQL(
                    """
                    SELECT users.partner_id
                      FROM res_users users
                      JOIN res_partner partner ON partner.id = users.partner_id
                     WHERE users.id IN %(ids)s
                       AND (
                        users.id = %(superuser)s
                        OR EXISTS (
                            SELECT FROM res_groups_users_rel
                             WHERE uid = users.id AND gid = %(public)s
                        )
                        OR NOT users.active AND NOT partner.active AND NOT EXISTS (
                            SELECT FROM res_users_log WHERE create_uid = users.id
                        )
                       )
                    """,
                    ids=user_ids,
                    superuser=SUPERUSER_ID,
                    public=self.env["ir.model.data"]._xmlid_to_res_id(
                        "base.group_public"
                    ),
                )
            )
            nobodies.update(partner_id for (partner_id,) in self.env.cr.fetchall())
        return nobodies

    def _meta_capi_is_named_after_an_order(self):
        """Tell whether Odoo has made up the name, "Anonymous … for order S00042"."""
        words = [word for word in (self.name or "").split()[1:] if word[-1].isdigit()]
        if not words:
            return False
        self.env.cr.execute(
            SQL("SELECT FROM sale_order WHERE name IN %s LIMIT 1", tuple(words))
        )
        return bool(self.env.cr.rowcount)

    def _meta_capi_somebody(self):
        """Return those of these partners who stand for somebody."""
        return self.filtered(lambda partner: not partner.meta_capi_is_nobody)

    def _compute_meta_capi_events(self):
        """Tell how often Meta was told of these customers, and when last."""
        found = {
            partner: (count, last)
            for partner, count, last in self.env["meta.capi.event"]._read_group(
                [("state", "=", "sent"), ("partner_id", "in", self.ids)],
                ["partner_id"],
                ["__count", "sent_at:max"],
            )
        }
        for partner in self:
            count, last = found.get(partner, (0, None))
            last = last and fields.Datetime.context_timestamp(self, last)
            partner.meta_capi_event_count = count
            partner.meta_capi_last_event_date = last and last.date()

    def action_view_meta_capi_events(self):
        """Open the events that are about this customer."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Meta Events"),
            "res_model": "meta.capi.event",
            "view_mode": "list,form",
            "domain": [("partner_id", "=", self.id)],
        }

    def write(self, vals):
        says_who = not vals.keys().isdisjoint(_REACH)
        reachable = says_who and self._meta_capi_reachable()
        result = super().write(vals)
        if vals.get("meta_capi_opt_out"):
            self._meta_capi_cancel(
                Refusal("objection", _("The customer objects to events for Meta."))
            )
        if reachable:
            anonymised = reachable - reachable._meta_capi_reachable()
            anonymised._meta_capi_forget(
                Refusal("anonymised", _("The customer was anonymised."))
            )
        return result

    def unlink(self):
        self._meta_capi_forget(Refusal("deleted", _("The customer was deleted.")))
        return super().unlink()

    def _meta_capi_reachable(self):
        """Return those of these partners who can be reached at all."""
        names = [name for name in _REACH if name in self._fields]
        return self.filtered(lambda partner: any(partner[name] for name in names))

    def _meta_capi_objects(self):
        """Tell whether the customer, or the company the customer buys for, opted out."""
        persons = (self | self.commercial_partner_id)._meta_capi_somebody()
        return any(persons.mapped("meta_capi_opt_out"))

    def _meta_capi_cancel(self, refusal):
        """Cancel what is pending about these customers and those who buy for them."""
        events = self.env["meta.capi.event"].sudo()
        persons = self.sudo().with_context(active_test=False)._meta_capi_somebody()
        persons = persons.search([("id", "child_of", persons.ids)])
        pending = events.search(
            [("state", "=", "pending"), ("partner_id", "in", persons.ids)]
        )
        table = EventTable(self.env(su=True))
        table.refuse(table.lock(pending.ids, "pending"), refusal)

    def _meta_capi_forget(self, refusal):
        """Leave nothing in the log that leads to these persons; cancel what waits.

        The browsers that made their documents go too.
        """
        ids = self._meta_capi_somebody().ids
        if ids:
            documents = EventTable(self.env(su=True)).forget_partners(ids, *refusal)
            orders = self.env["sale.order"].sudo().with_context(active_test=False)
            orders = orders.search([("partner_id", "in", ids)])
            documents |= {("sale.order", order.id) for order in orders}
            if "crm.lead" in self.env:
                leads = self.env["crm.lead"].sudo().with_context(active_test=False)
                leads = leads.search([("partner_id", "in", ids)])
                documents |= {("crm.lead", lead.id) for lead in leads}
            self.env["meta.capi.browser"].sudo()._forget(documents)

    # ------------------------------------------------------------ what Meta is told

    def _meta_capi_partner(self):
        return self

    def _meta_capi_exclusion(self, event_name):
        """Judge the customer; a tag counts for those who buy for a company, too."""
        if not self._meta_capi_somebody():
            return None
        config = self.env["meta.capi.config"]
        if (
            config._get(setting.EXCLUDE_INTERNAL_USERS)
            and self._meta_capi_is_internal()
        ):
            return Refusal("internal_user", _("The customer is an internal user."))
        excluded = config._excluded_tag_ids()
        if not excluded:  # as in most shops, which need not read them
            return None
        persons = (self | self.commercial_partner_id)._meta_capi_somebody()
        tags = persons.category_id.filtered(lambda tag: tag.id in excluded)
        if tags:
            return Refusal(
                "excluded_tag", _("The customer has the tag %s.", tags[0].name)
            )
        return None

    def _meta_capi_is_internal(self):
        """Tell whether any of these partners has an internal user.

        ``partner_share`` would tell it, but not for certain: Odoo 17 does not compute it
        anew when partners are merged.
        """
        # Most customers have no user, and the ORM takes longer to find none.
        self.env.cr.execute(
            SQL(
                "SELECT FROM res_users WHERE partner_id IN %s LIMIT 1",
                tuple(self.ids) or (0,),
            )
        )
        return bool(self.env.cr.rowcount) and any(
            not user.share for user in self.user_ids
        )

    def _meta_capi_user_data(self):
        """Return raw ``user_data`` keys of this customer.

        A name is split for persons only: a company has no first and last name. Of a
        partner who stands for nobody there is nothing to tell.
        """
        if not self._meta_capi_somebody():
            return {}
        self.ensure_one()
        user_data = {**self._meta_capi_contact(), "external_id": str(self.id)}
        if not self.is_company:
            user_data["fn"], user_data["ln"] = self._meta_capi_names()
        return {key: value for key, value in user_data.items() if value}

    def _meta_capi_names(self):
        """Return the first and the last name of a person.

        OCA's partner_firstname keeps them apart, and partner_second_lastname that of
        the mother, which not everybody uses.
        """
        if "firstname" not in self._fields or "lastname" not in self._fields:
            return self._meta_capi_split_name(self.name)
        last_name = self.lastname
        if "lastname2" in self._fields and last_name and self.lastname2:
            last_name = [f"{last_name} {self.lastname2}", last_name]
        return self.firstname, last_name
