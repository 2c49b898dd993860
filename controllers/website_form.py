from odoo.addons.website.controllers.form import WebsiteForm

from ..models.apps.meta_capi_lead_stage import TOLD_LATER

# What a form of the website makes, and what Meta calls that.
EVENT_BY_MODEL = {
    "crm.lead": "Lead",
    "mail.mail": "Contact",
    "mailing.contact": "CompleteRegistration",
}


class MetaCapiWebsiteForm(WebsiteForm):
    def insert_record(self, request, model, *args, **kwargs):
        """Keep the visitor's browser with what a form makes, and tell Meta of a lead.

        All in the transaction that makes it. What becomes of the lead later is told of
        with the same browser, whoever moves it on.
        """
        request.update_context(**{TOLD_LATER: True})
        record_id = super().insert_record(request, model, *args, **kwargs)
        request.update_context(**{TOLD_LATER: False})
        model_name = model.sudo().model
        if record_id:
            record = request.env[model_name].sudo().browse(record_id)
            request.env["meta.capi.visit"]._keep(record)
            if model_name in EVENT_BY_MODEL:
                request.env["meta.capi.bridge"]._record_by_hook(
                    EVENT_BY_MODEL[model_name], record
                )
            if model_name == "crm.lead":
                request.env["meta.capi.lead.stage"]._tell(record)
        return record_id
