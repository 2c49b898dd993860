"""A number that may be unknown."""

from odoo import fields


class OptionalFloat(fields.Float):
    """A float that is NULL, and False in Python, where it is not known: never 0.

    Odoo's own makes 0 of it. An average, which leaves out what is not known, is what a
    group of records shows of it.
    """

    # Of 17.0, and of 18.0 and later. As parameters, each would be a warning on the other.
    group_operator = aggregator = "avg"
    # Of 19.0: what is not known is not searched for as 0.
    falsy_value = None

    def convert_to_column(self, value, record, values=None, validate=True):
        if value is None or value is False:
            return None
        return super().convert_to_column(value, record, values, validate)

    def convert_to_cache(self, value, record, validate=True):
        if value is None or value is False:
            return None
        return super().convert_to_cache(value, record, validate)

    def convert_to_record(self, value, record):
        return False if value is None else value

    def convert_to_export(self, value, record):
        return "" if value is None or value is False else value
