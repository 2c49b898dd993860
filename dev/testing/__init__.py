"""The tests: of `capi/` alone, and of the addon in Odoo."""
