from odoo import models


class ResPartner(models.Model):
    _inherit = "res.partner"

    def _meta_capi_partner(self):
        return self

    def _meta_capi_user_data(self):
        """Return raw ``user_data`` keys of this customer.

        A name is split for persons only: a company has no first and last name.
        """
        if not self:
            return {}
        self.ensure_one()
        # Odoo 19 has no mobile number any more.
        mobile = "mobile" in self._fields and self.mobile
        user_data = {
            "em": self.email_normalized or self.email,
            "ph": [self.phone, mobile]
            if self.phone and mobile
            else self.phone or mobile,
            "ct": self.city,
            "st": self.state_id.code if self.country_code in ("US", "CA") else None,
            "zp": self.zip,
            "country": self.country_code,
            "external_id": str(self.id),
        }
        if self.state_id and not user_data["st"]:
            user_data["st"] = self.state_id.name
        if not self.is_company and self.name:
            user_data["fn"], _space, user_data["ln"] = self.name.strip().rpartition(" ")
            user_data["fn"] = user_data["fn"] or user_data.pop("ln")
        return {key: value for key, value in user_data.items() if value}
