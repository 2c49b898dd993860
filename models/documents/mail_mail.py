from odoo import models


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _meta_capi_contact(self):
        """Return the person who wrote by a form of the website.

        Odoo sends such a message in the company's name, and notes whom to answer.
        """
        self.ensure_one()
        return {"em": self.reply_to} if self.reply_to else {}
