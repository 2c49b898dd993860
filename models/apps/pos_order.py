from ..common.standard_events import PURCHASE
from .app_model import AppModel


class PosOrder(AppModel):
    """An order of the counter."""

    _meta_capi_joins = "pos.order"

    def _meta_capi_margin(self):
        """Return the margin; of some ways to value a stock, a session's end tells it."""
        self.ensure_one()
        return self.margin if self.is_total_cost_computed else None

    def _meta_capi_parameters(self, event_name):
        """A sale of the counter has a time of its own: it may arrive hours later."""
        self.ensure_one()
        known = {"action_source": "physical_store"}
        if event_name == PURCHASE:
            known["event_time"] = self.date_order
        return {**super()._meta_capi_parameters(event_name), **known}
