import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from odoo.tests import BaseCase, tagged

from .processes import ADDON, Database, Processes, installation, run_odoo

# What counts of the module that this one replaces: its name, its version, its fields
# and its override; with two orders, of which one was confirmed under it.
PREDECESSOR = {
    "__manifest__.py": """
{
    "name": "Meta Conversions API Integration",
    "version": "SERIES.2.0.0",
    "license": "LGPL-3",
    "author": "ih",
    "depends": ["website_sale"],
    "data": ["views.xml"],
    "post_init_hook": "make_orders",
}
""",
    "__init__.py": """
from . import models

PARAMETERS = {
    "enabled": "True",
    "pixel_id": "1029384756102938",
    "access_token": "EAAGpredecessor",
    "test_event_code": "TEST12345",
    "pixel_enabled": "True",
}


def make_orders(env):
    for name, value in PARAMETERS.items():
        env["ir.config_parameter"].set_param(f"meta_capi.{name}", value)
    env["res.config.settings"].create({}).execute()
    product = env["product.product"].create({"name": "Desk", "list_price": 100.0})
    customer = env["res.partner"].create({"name": "Jane Doe", "email": "jane@example.com"})
    for reference in ("confirmed", "draft", "back office"):
        order = env["sale.order"].create(
            {
                "client_order_ref": reference,
                "partner_id": customer.id,
                "website_id": reference != "back office"
                and env["website"].search([], limit=1).id,
                "order_line": [(0, 0, {"product_id": product.id})],
            }
        )
        if reference != "draft":
            order.with_context(mail_notify_force_send=False).action_confirm()
""",
    "models.py": """
from odoo import fields, models


class MetaConversionsApi(models.AbstractModel):
    _name = "meta.conversions.api"
    _description = "Meta Conversions API"


class SaleOrder(models.Model):
    _inherit = "sale.order"

    def action_confirm(self):
        return super().action_confirm()


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    meta_pixel_enabled = fields.Boolean(config_parameter="meta_capi.pixel_enabled")
    meta_pixel_id = fields.Char(config_parameter="meta_capi.pixel_id")
    meta_capi_enabled = fields.Boolean(config_parameter="meta_capi.enabled")
    meta_capi_access_token = fields.Char(config_parameter="meta_capi.access_token")
    meta_capi_test_event_code = fields.Char(config_parameter="meta_capi.test_event_code")
""",
    "views.xml": """<?xml version="1.0" encoding="UTF-8" ?>
<odoo>
    <record id="view_res_config_settings_meta_capi" model="ir.ui.view">
        <field name="name">res.config.settings.view.form.inherit.meta.pixel.capi</field>
        <field name="model">res.config.settings</field>
        <field name="inherit_id" ref="base.res_config_settings_view_form" />
        <field name="arch" type="xml">
            <xpath expr="//form" position="inside">
                <field name="meta_pixel_enabled" invisible="1" />
                <field name="meta_pixel_id" invisible="1" />
                <field name="meta_capi_enabled" invisible="1" />
                <field name="meta_capi_access_token" invisible="1" />
                <field name="meta_capi_test_event_code" invisible="1" />
            </xpath>
        </field>
    </record>
</odoo>
""",
}


def confirm_all(env):
    """Confirm every website order, the one that was confirmed before once more."""
    orders = env["sale.order"].search([("website_id", "!=", False)])
    confirmed = orders.filtered(lambda order: order.state == "sale")
    confirmed._action_cancel()
    confirmed.action_draft()
    orders.with_context(mail_notify_force_send=False).action_confirm()


@tagged("post_install", "-at_install")
class TestUpgrade(BaseCase):
    """A shop that ran the predecessor, with it switched on and with it switched off."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        odoo = installation()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        predecessor = Path(cls.folder, ADDON)
        predecessor.mkdir()
        for name, text in PREDECESSOR.items():
            predecessor.joinpath(name).write_text(
                text.replace("SERIES", odoo.series).lstrip()
            )
        before = cls.database(odoo.template, "upgrade_from")
        paths = f"{cls.folder},{odoo.options['addons_path']}"
        run_odoo(before, "-i", ADDON, "--addons-path", paths, "--stop-after-init")
        cls.parameters = cls.read_parameters(before)
        cls.ids = before.column("SELECT id FROM sale_order")
        before.close()
        cls.on = cls.database(before.name, "upgrade_on")
        cls.off = cls.database(before.name, "upgrade_off")
        cls.off.rows("DELETE FROM ir_config_parameter WHERE key = 'meta_capi.enabled'")
        with ThreadPoolExecutor() as threads:
            cls.logs = list(threads.map(cls.upgrade, (cls.on, cls.off)))

    @classmethod
    def database(cls, source, purpose):
        database = Database(source, purpose)
        cls.addClassCleanup(database.drop)
        return database

    @classmethod
    def upgrade(cls, database):
        return run_odoo(database, "-u", ADDON, "--stop-after-init")

    @classmethod
    def read_parameters(cls, database):
        return dict(
            database.rows(
                "SELECT key, value FROM ir_config_parameter WHERE key LIKE 'meta_capi.%'"
            )
        )

    def is_automation_active(self, database):
        return database.value(
            "SELECT active FROM base_automation WHERE id = ("
            "SELECT res_id FROM ir_model_data WHERE module = %s AND name = %s)",
            ADDON,
            "automation_purchase",
        )

    def test_it_upgrades_without_a_warning(self):
        for log in self.logs:
            self.assertEqual([record.text for record in log.bad], [])
        version = self.on.value(
            "SELECT latest_version FROM ir_module_module WHERE name = %s", ADDON
        )
        self.assertEqual(version, f"{installation().series}.3.1.0")

    def test_the_parameters_are_kept(self):
        self.assertEqual(self.parameters["meta_capi.access_token"], "EAAGpredecessor")
        kept = self.read_parameters(self.on)
        self.assertEqual(kept, {**kept, **self.parameters})

    def test_the_automation_is_on_where_the_predecessor_was(self):
        self.assertTrue(self.is_automation_active(self.on))
        self.assertFalse(self.is_automation_active(self.off))

    def test_no_copy_of_the_token_stays_with_the_settings_wizard(self):
        self.assertNotIn(
            "meta_capi_access_token",
            self.on.column(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = 'res_config_settings'"
            ),
        )

    def test_the_orders_have_an_id_each(self):
        ids = self.on.column("SELECT meta_capi_event_id FROM sale_order")
        self.assertEqual(len(set(ids) - {None, ""}), len(self.ids))

    def test_an_order_that_the_predecessor_has_sent_is_not_sent_again(self):
        processes = Processes(self.on, self.folder)
        self.addCleanup(processes.stop)
        processes.start(confirm_all).result()
        recorded = self.on.column(
            "SELECT sale_order.client_order_ref FROM meta_capi_event"
            "  JOIN sale_order ON sale_order.id = res_id AND res_model = 'sale.order'"
            " WHERE event_name = 'Purchase'"
        )
        self.assertEqual(recorded, ["draft"])


# What 3.0.0 did not have yet.
NEW_COLUMNS = {
    "website": (
        *(
            "meta_capi_bridge_enabled",
            "meta_capi_pixel_mode",
            "meta_capi_bridge_events",
        ),
        *("meta_capi_purchase_trigger", "meta_capi_purchase_trigger_since"),
        "meta_capi_consent_source",
    ),
    "res_config_settings": (
        *("meta_capi_consent_source", "meta_capi_extra_pixel_ids"),
        "meta_capi_bridge_enabled",
    ),
    "meta_capi_pixel": ("active",),
}
KEPT_PARAMETERS = {
    "enabled": "True",
    "pixel_id": "1029384756102938",
    "access_token": "EAAGcommon",
    "extra_pixel_ids": "77,78",
    "bridge_enabled": "True",
    "pixel_mode": "load",
}
KEPT_OF_WEBSITE = {
    "meta_capi_pixel_id": "2000002",
    "meta_capi_access_token": "EAAGown",
    "meta_capi_test_event_code": "TEST2",
    "meta_capi_extra_pixel_ids": "79",
}


def set_up(env):
    """Give a shop two websites, one of which has values of its own."""
    for name, value in KEPT_PARAMETERS.items():
        env["ir.config_parameter"].set_param(f"meta_capi.{name}", value)
    env["website"].create({"name": "Second", **KEPT_OF_WEBSITE})
    env.ref(f"{ADDON}.automation_purchase").active = True
    env["meta.capi.pixel"].create({"pixel_id": "1029384756102938"})


def in_force(env):
    """Return what counts for each website."""
    config = env["meta.capi.config"]
    return {
        website.name: (
            config._pixel_id(website),
            config._access_token(config._pixel_id(website)),
            config._test_event_code(website),
            config._extra_pixel_ids(website),
            config._is_bridge_enabled(website),
            config._pixel_mode(website),
            env["meta.capi.purchase"]._trigger(website),
            config._consent_source(website),
        )
        for website in env["website"].search([], order="id")
    }


@tagged("post_install", "-at_install")
class TestUpgradeOfWebsites(BaseCase):
    """A shop of 3.0.0 with two websites."""

    def test_todays_values_are_kept(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        database = Database(installation().template, "upgrade_websites")
        self.addCleanup(database.drop)
        run_odoo(database, "-i", ADDON, "--stop-after-init")
        processes = Processes(database, folder.name)
        processes.start(set_up).result()
        before = processes.start(in_force).result()
        processes.stop()
        for table, columns in NEW_COLUMNS.items():
            for column in columns:
                database.rows(f"ALTER TABLE {table} DROP COLUMN {column}")
        database.rows(
            "ALTER TABLE res_config_settings"
            " ALTER COLUMN meta_capi_purchase_trigger SET NOT NULL"
        )
        log = run_odoo(database, "-u", ADDON, "--stop-after-init")
        self.assertEqual([record.text for record in log.bad], [])
        processes = Processes(database, folder.name)
        self.addCleanup(processes.stop)
        self.assertEqual(processes.start(in_force).result(), before)
        common, own = before.values()
        self.assertEqual(
            common,
            (
                *("1029384756102938", "EAAGcommon", "", ("77", "78"), True, "load"),
                *("confirmed", "odoo"),
            ),
        )
        self.assertEqual(own[:4], ("2000002", "EAAGown", "TEST2", ("79",)))
        self.assertEqual(database.column("SELECT active FROM meta_capi_pixel"), [True])
