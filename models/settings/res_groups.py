from odoo import api, models


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.model
    def _meta_capi_set_application(self):
        """Show the two groups as one choice, User or Manager, on the user's form.

        Called from data: Odoo 19 moved the heading from ``category_id`` to a privilege.
        """
        module = "ih_meta_conversions_api"
        category = self.env.ref(f"{module}.module_category_meta_capi")
        groups = self.env.ref(f"{module}.group_meta_capi_user")
        groups |= self.env.ref(f"{module}.group_meta_capi_manager")
        if "privilege_id" in self._fields:
            groups.privilege_id = self.env["res.groups.privilege"]._load_records(
                [
                    {
                        "xml_id": f"{module}.res_groups_privilege_meta_capi",
                        "values": {"name": category.name, "category_id": category.id},
                    }
                ],
                update=True,
            )
        else:
            groups.category_id = category
