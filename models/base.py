from odoo import models


class Base(models.AbstractModel):
    """What any record can tell Meta when an event is about it.

    Each method is one answer, made to be overridden by the model that knows better.
    """

    _inherit = "base"

    def _meta_capi_partner(self):
        """Return the customer, a ``res.partner``, maybe empty."""
        self.ensure_one()
        field = self._fields.get("partner_id")
        if field and field.comodel_name == "res.partner":
            return self.partner_id
        return self.env["res.partner"]

    def _meta_capi_user_data(self):
        """Return raw ``user_data`` of the customer; it is hashed before it is stored."""
        return self._meta_capi_partner()._meta_capi_user_data()

    def _meta_capi_browser_data(self):
        """Return what was kept of the customer's browser: ``user_data`` keys and URLs."""
        return {}

    def _meta_capi_custom_data(self, event_name):
        """Return the ``custom_data`` of an event about this record, or None."""
        return None

    def _meta_capi_event_id(self, event_name):
        """Return the id of an event that happens once to this record, else None."""
        return None

    def _meta_capi_is_recorded(self, event_name):
        """Tell whether the event with that id is on record, even if purged since."""
        return False

    def _meta_capi_set_recorded(self, event_name):
        """Remember that the event with that id is on record."""

    def _meta_capi_website(self):
        """Return the website this record belongs to, maybe empty."""
        self.ensure_one()
        field = self._fields.get("website_id")
        if field and field.comodel_name == "website":
            return self.website_id
        return self.env["website"]

    def _meta_capi_company(self):
        """Return the company this record belongs to, maybe empty."""
        self.ensure_one()
        field = self._fields.get("company_id")
        if field and field.comodel_name == "res.company":
            return self.company_id
        return self.env["res.company"]
