from odoo import models


class ResUsers(models.Model):
    _inherit = "res.users"

    def _signup_create_user(self, values):
        """Tell Meta of a customer who has made an account."""
        user = super()._signup_create_user(values)
        self.env["meta.capi.bridge"]._record_by_hook(
            "CompleteRegistration", user.sudo().partner_id, custom_data={"status": True}
        )
        return user
