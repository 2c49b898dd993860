from odoo import models


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def module_uninstall(self):
        """Forget what was chosen for the records of an app that goes.

        Installed again, it would give their ids to others.
        """
        names = set(self.mapped("name"))
        if "point_of_sale" in names:
            self.env["meta.capi.store"].sudo().search([]).unlink()
        if "crm" in names:
            self.env["meta.capi.lead.stage"].sudo().search([]).unlink()
        return super().module_uninstall()
