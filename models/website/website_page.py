from odoo import api, models


class WebsitePage(models.Model):
    _inherit = "website.page"

    @api.model
    def _get_cache_key(self, request):
        """Keep pages for robots, which have no script of ours, apart, from Odoo 19 on.

        Before, the place of the script is not cached.
        """
        is_person = self.env["meta.capi.visit"]._is_person()
        return (*super()._get_cache_key(request), is_person)
