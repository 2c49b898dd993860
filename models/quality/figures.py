from odoo import _
from odoo.tools.misc import formatLang


class Figures:
    """Figures of Meta's as the reader's language writes them."""

    def __init__(self, env):
        self.env = env

    def figure(self, value):
        value = round(value, 1)
        return formatLang(self.env, value, digits=0 if value == int(value) else 1)

    def percentage(self, value):
        return _("not told") if value is None else f"{self.figure(value)}%"
