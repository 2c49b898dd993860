from odoo import api, fields, models
from odoo.tools import ormcache

from ..common.schema import create_indexes


class MetaCapiStore(models.Model):
    """Whether a point of sale tells Meta of its sales, and what Meta calls it.

    It is known by its id: the app may not be installed, and no field may name a model
    that may not be there. Administrators edit it in a list, which makes a line for each
    point of sale that has none.
    """

    _name = "meta.capi.store"
    _description = "Point of Sale, for Meta"
    _order = "pos_config_id"

    pos_config_id = fields.Integer("Point of Sale ID", readonly=True, required=True)
    name = fields.Char("Point of Sale", compute="_compute_name")
    company_id = fields.Many2one("res.company", compute="_compute_name")
    is_on = fields.Boolean(
        "Send Sales to Meta",
        help="Each paid order with a customer is sent as a Purchase. The settings say"
        " what else is left out.",
    )
    store_code = fields.Char(
        "Meta's Store Code",
        help="The code of the store in Meta's Business Manager, under Store Locations."
        " Empty: Meta is not told in which store it was.",
    )

    def init(self):
        unique = {"unique": "(pos_config_id)"}
        create_indexes(self.env.cr, self._table, unique, is_unique=True)

    @api.depends("pos_config_id")
    def _compute_name(self):
        points = self._points()
        for store in self:
            point = points.get(store.pos_config_id)
            store.name = point and point.name
            store.company_id = point and point.company_id

    @api.model_create_multi
    def create(self, vals_list):
        self.env.registry.clear_cache()
        return super().create(vals_list)

    def write(self, vals):
        self.env.registry.clear_cache()
        return super().write(vals)

    def unlink(self):
        self.env.registry.clear_cache()
        return super().unlink()

    @api.model
    def _is_installed(self):
        """Tell whether there is a point of sale at all."""
        return "pos.config" in self.env

    @api.model
    def _points(self):
        """Return the points of sale by their ids."""
        if not self._is_installed():
            return {}
        points = self.env["pos.config"].sudo().with_context(active_test=False)
        return {point.id: point for point in points.search([])}

    @api.model
    def _follow_points(self):
        """Have one line for each point of sale."""
        points, stores = self._points(), self.search([])
        stores.filtered(lambda store: store.pos_config_id not in points).unlink()
        known = set(stores.exists().mapped("pos_config_id"))
        self.create([{"pos_config_id": id_} for id_ in points.keys() - known])

    @api.model
    @ormcache()
    def _codes(self):
        """Return Meta's codes of the points of sale that are switched on, by their ids.

        It is asked for each order of the counter. A code may be empty.
        """
        stores = self.sudo().search([("is_on", "=", True)])
        return {store.pos_config_id: store.store_code or "" for store in stores}
