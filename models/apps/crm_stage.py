from .app_model import AppModel


class CrmStage(AppModel):
    """A stage of CRM's pipeline."""

    _meta_capi_joins = "crm.stage"

    def unlink(self):
        """Forget which events the stages were."""
        keys = [str(stage_id) for stage_id in self.ids]
        result = super().unlink()
        lines = self.env["meta.capi.lead.stage"].sudo().search([("stage", "in", keys)])
        lines.unlink()
        return result
