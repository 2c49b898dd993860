"""Odoo itself, made ready and run: its source, packages, databases and servers."""
