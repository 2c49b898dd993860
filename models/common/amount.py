from odoo import fields


class Amount(fields.Float):
    """A float that nobody adds up: its rows are in different currencies."""

    # Of 17.0, and of 18.0 and later. As a parameter, each would be a warning on the other.
    group_operator = aggregator = None
