from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ...capi.errors import InvalidParameter
from ...capi.leads import read_lead_id


class MailThreadCc(models.AbstractModel):
    """Where CRM's leads get their field from: the app is not depended on, and no model
    that may be missing can be given one.

    Of what leads inherit this is what the fewest others do: no order and no invoice.
    """

    _inherit = "mail.thread.cc"

    meta_capi_lead_id = fields.Char(
        "Meta Lead ID",
        copy=False,
        help="The ID that Meta gave to a lead of an instant form on Facebook or Instagram:"
        " 15 to 17 digits. It is filled in by what imports the leads, and Meta finds the"
        " person by it.",
    )

    @api.constrains("meta_capi_lead_id")
    def _check_meta_capi_lead_id(self):
        for record in self.filtered("meta_capi_lead_id"):
            try:
                read_lead_id("meta_capi_lead_id", record.meta_capi_lead_id)
            except InvalidParameter as error:
                raise ValidationError(
                    _(
                        "“%s” is no Meta Lead ID: it has 15 to 17 digits, and nothing"
                        " else.",
                        record.meta_capi_lead_id,
                    )
                ) from error
