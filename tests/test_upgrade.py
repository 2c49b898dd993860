import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from odoo.tests import BaseCase, tagged
from odoo.tools.translate import code_translations

from ..models.settings import setting
from .processes import ADDON, Database, Processes, installation, run_odoo, shop
from .test_event_summary import DIFFERENCES

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


@tagged("post_install", "-at_install", "processes")
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
        self.assertEqual(version, f"{installation().series}.3.2.0")

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
    "meta_capi_event": ("user_data_keys",),
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
            config._get(setting.BRIDGE_ENABLED, website),
            config._get(setting.PIXEL_MODE, website),
            env["meta.capi.purchase"]._trigger(website),
            config._get(setting.CONSENT_SOURCE, website),
        )
        for website in env["website"].search([], order="id")
    }


@tagged("post_install", "-at_install", "processes")
class TestUpgradeOfWebsites(BaseCase):
    """A shop of 3.0.0 with two websites."""

    def test_todays_values_are_kept(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        database = shop("upgrade_websites")
        self.addCleanup(database.drop)
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


# The requests of each event were a table until 3.1.0.
PAIRS = """
ALTER TABLE meta_capi_attempt DROP COLUMN carried;
CREATE TABLE meta_capi_attempt_event_rel (
    attempt_id int NOT NULL REFERENCES meta_capi_attempt ON DELETE CASCADE,
    event_id int NOT NULL REFERENCES meta_capi_event ON DELETE CASCADE,
    PRIMARY KEY (attempt_id, event_id)
);
INSERT INTO ir_model_relation (name, model, module)
    SELECT 'meta_capi_attempt_event_rel', model.id, module.id
      FROM ir_model model, ir_module_module module
     WHERE model.model = 'meta.capi.event' AND module.name = 'ih_meta_conversions_api';
ALTER TABLE meta_capi_event DROP COLUMN carried_by, ADD COLUMN response text;
"""
# What the log of 3.0.0 was like: PostgreSQL made these columns of the others. Of its
# rules for the cause, those that the rows below need.
LOG_OF_3_0_0 = """
DROP TABLE meta_capi_once;
DROP TABLE meta_capi_event_count;
DROP FUNCTION meta_capi_event_count() CASCADE;
DROP INDEX meta_capi_event_period, meta_capi_event_failures, meta_capi_event_purchase,
    meta_capi_event__partner_id_index;
ALTER TABLE meta_capi_event
    DROP COLUMN unknown_count, DROP COLUMN first_refusal_id,
    DROP COLUMN is_from_browser, DROP COLUMN is_copy, DROP COLUMN happens_once,
    DROP COLUMN cause, DROP COLUMN value, DROP COLUMN currency;
ALTER TABLE meta_capi_event
    ADD COLUMN value double precision GENERATED ALWAYS AS (
        CASE WHEN jsonb_typeof(custom_data -> 'value') = 'number'
        THEN (custom_data ->> 'value')::double precision END
    ) STORED,
    ADD COLUMN currency varchar GENERATED ALWAYS AS (
        custom_data ->> 'currency'
    ) STORED,
    ADD COLUMN cause varchar GENERATED ALWAYS AS (
        CASE
        WHEN state = 'sent' THEN NULL
        WHEN state = 'cancelled' THEN 'cancelled'
        WHEN state = 'failed' AND failure_reason IN ('expired', 'exhausted')
            THEN failure_reason
        WHEN error_message IS NULL THEN NULL
        WHEN error_code <> 0 THEN CASE
            WHEN error_code BETWEEN 190 AND 190
                AND coalesce(error_subcode, 0) IN (463) THEN 'token_expired'
            WHEN error_code BETWEEN 100 AND 100
                AND coalesce(error_subcode, 0) IN (2804009) THEN 'value'
            ELSE 'unknown' END
        WHEN http_status = 413 THEN 'too_large'
        WHEN http_status = 408 OR http_status NOT BETWEEN 300 AND 499 THEN 'meta_down'
        WHEN state = 'pending' THEN 'unreachable'
        WHEN split_part(error_message, ':', 1) = 'user_data' THEN 'user_data'
        ELSE 'unprepared'
        END
    ) STORED;
COMMENT ON COLUMN meta_capi_event.value IS 'generated 0123456789abcdef';
COMMENT ON COLUMN meta_capi_event.currency IS 'generated 0123456789abcdef';
COMMENT ON COLUMN meta_capi_event.cause IS 'generated 0123456789abcdef';
CREATE INDEX meta_capi_event_time ON meta_capi_event (event_time)
    INCLUDE (event_name, website_id, company_id, state, cause, user_data_keys);
ALTER TABLE meta_capi_pixel
    DROP COLUMN trouble, DROP COLUMN doubt, DROP COLUMN clock_skew,
    DROP COLUMN stopped_told_at, DROP COLUMN active, ADD COLUMN witness_wanted bool;
INSERT INTO ir_model (model, name, state, "order")
    VALUES ('meta.capi.cause', '{"en_US": "Cause of a Meta Event''s Failure"}', 'base', 'id');
INSERT INTO ir_model_fields (model, model_id, name, field_description, state, ttype)
    SELECT model, id, 'key', '{"en_US": "Key"}', 'base', 'char'
      FROM ir_model WHERE model = 'meta.capi.cause';
INSERT INTO ir_model_access (name, model_id, perm_read, active)
    SELECT 'meta.capi.cause user', id, true, true
      FROM ir_model WHERE model = 'meta.capi.cause';
INSERT INTO ir_model_data (module, name, model, res_id)
    SELECT 'ih_meta_conversions_api', 'model_meta_capi_cause', 'ir.model', id
      FROM ir_model WHERE model = 'meta.capi.cause'
    UNION SELECT 'ih_meta_conversions_api', 'field_meta_capi_cause__key',
           'ir.model.fields', id
      FROM ir_model_fields WHERE model = 'meta.capi.cause'
    UNION SELECT 'ih_meta_conversions_api', 'access_meta_capi_cause_user',
           'ir.model.access', id
      FROM ir_model_access WHERE name = 'meta.capi.cause user';
INSERT INTO meta_capi_pixel (
    pixel_id, state, stopped_at, next_probe_at, failing_since, error_code,
    error_subcode, error_message, witness_wanted
) VALUES
    ('11', 'stopped', '2026-01-02 03:04:05', '2026-01-02 04:04:05', NULL, 190, 463,
     'Expired', false),
    ('12', 'stopped', '2026-01-02 03:04:05', '2026-01-02 04:04:05', NULL, NULL, NULL,
     'No access token is set for this pixel.', false),
    ('13', 'running', NULL, NULL, '2026-01-02 03:04:05', 1, NULL, 'Down', true),
    ('14', 'running', NULL, NULL, NULL, NULL, NULL, NULL, false);
"""
# Each kind of row of that log, and the cause it has to have afterwards.
REFUSALS = {
    "no_consent": "The visitor has not consented to optional cookies.",
    "consent_withdrawn": "The visitor has withdrawn the consent to optional cookies.",
    "objection": "The customer objects to events for Meta.",
    "no_browser": "No browser made this document, and the settings exclude such.",
    "internal_user": "The customer is an internal user.",
    "excluded_tag": "The customer has the tag %s.",
    "nothing_to_pay": "There is nothing to pay.",
    "test_payment": "It was paid through a payment provider in test mode.",
    "deleted": "The customer was deleted.",
    "anonymised": "The customer was anonymised.",
    "cancelled_by_hand": "Cancelled by %s.",
}
DIGEST = "0123456789abcdef" * 4
# Outcome and events of each request of that log.
LINKS = {
    1: ("transient", ["retrying"]),
    2: ("accepted", ["retrying", "sent"]),
    3: (None, ["held"]),
}
ROWS = {
    "pending": (None, {"state": "pending", "next_attempt_at": "2026-01-02 03:04:05"}),
    "retrying": (
        "meta_down",
        {
            **{"state": "pending", "next_attempt_at": "2026-01-02 03:04:05"},
            **{"http_status": 503, "error_message": "Oops", "attempt_count": 3},
        },
    ),
    "held": (
        "token_expired",
        {
            **{"state": "pending", "next_attempt_at": "2026-01-02 03:04:05"},
            **{"pixel_id": "11", "http_status": 400, "error_code": 190},
            **{"error_subcode": 463, "error_message": "Expired"},
        },
    ),
    "split": (
        "value",
        {
            **{"state": "pending", "next_attempt_at": "2026-01-02 03:04:05"},
            **{"isolation_part": 7, "http_status": 400, "error_code": 100},
            **{"error_subcode": 2804009, "error_message": "Value", "attempt_count": 1},
        },
    ),
    "sent": (None, {"state": "sent", "sent_at": "2026-01-02 03:04:05"}),
    "invalid": (
        "user_data",
        {
            **{"state": "failed", "failure_reason": "invalid"},
            "error_message": "user_data: could be anybody's",
        },
    ),
    "expired": (
        "expired",
        {"state": "failed", "failure_reason": "expired", "attempt_count": 11},
    ),
    "exhausted": (
        "exhausted",
        {
            **{"state": "failed", "failure_reason": "exhausted", "error_code": 9},
            "error_message": "What",
        },
    ),
    "of another addon": (
        "cancelled",
        {"state": "cancelled", "error_message": "It is a gift."},
    ),
    DIGEST: (
        None,
        {"state": "sent", "res_model": "account.move", "res_id": 1},
    ),
}
# All that an update must not change, but for the cause of what was cancelled.
KEPT = (
    *("id", "event_name", "event_id", "event_time", "user_data", "custom_data"),
    *("pixel_id", "state", "failure_reason", "attempt_count", "next_attempt_at"),
    *("sent_at", "isolation_part", "http_status", "error_code", "error_subcode"),
    *("error_message", "value", "currency", "res_model", "res_id", "write_date"),
)


def load_french(env):
    """Install French, and return each sentence as a French user was told it."""
    env["res.lang"]._activate_lang("fr_FR")
    translations = code_translations.get_python_translations(ADDON, "fr_FR")
    return {key: translations[sentence] for key, sentence in REFUSALS.items()}


@tagged("post_install", "-at_install", "processes")
class TestUpdate(BaseCase):
    """A shop that ran 3.0.0, with rows of every kind in its log."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.shop = shop("update")
        cls.addClassCleanup(cls.shop.drop)
        processes = Processes(cls.shop, folder.name)
        try:
            french = processes.start(load_french).result()
        finally:
            processes.stop()
        cls.rows = dict(ROWS)
        for language, sentences in (("", REFUSALS), ("fr ", french)):
            for cause, sentence in sentences.items():
                said = sentence.replace("%s", "100 % Jane_Doe")
                values = {"state": "cancelled", "error_message": said}
                cls.rows[language + cause] = cause, values
        cls.shop.rows(PAIRS + LOG_OF_3_0_0)
        for key, (_cause, values) in cls.rows.items():
            row = {
                **{"event_name": "Purchase", "event_id": key, "pixel_id": "14"},
                **{"event_time": "2026-01-01 00:00:00", "action_source": "website"},
                **{"user_data": '{"em": ["x"]}', "attempt_count": 0},
                **{"custom_data": '{"value": 12.5, "currency": "EUR"}'},
                **{"write_date": "2026-01-01 00:00:01", **values},
            }
            cls.shop.rows(
                f"INSERT INTO meta_capi_event ({', '.join(row)})"
                f" VALUES ({', '.join(['%s'] * len(row))})",
                *row.values(),
            )
        cls.shop.rows(
            "UPDATE ir_module_module SET latest_version = %s WHERE name = %s",
            f"{installation().series}.3.0.0",
            ADDON,
        )
        for attempt_id, (outcome, carried) in LINKS.items():
            cls.shop.rows(
                "INSERT INTO meta_capi_attempt (id, started_at, pixel_id, outcome)"
                " VALUES (%s, now(), '14', %s)",
                *(attempt_id, outcome),
            )
            cls.shop.rows(
                "INSERT INTO meta_capi_attempt_event_rel"
                " SELECT %s, id FROM meta_capi_event WHERE event_id = ANY(%s)",
                *(attempt_id, carried),
            )
        for summary, automated in (("Ours", True), ("A person's", False)):
            cls.shop.rows(
                """
                INSERT INTO mail_activity (
                    activity_type_id, automated, summary, date_deadline, user_id,
                    res_model, res_model_id, res_id
                ) SELECT kind.res_id, %s, %s, '2026-01-02', 2, ir_model.model,
                         ir_model.id, pixel.id
                    FROM ir_model_data kind, ir_model, meta_capi_pixel pixel
                   WHERE kind.module = 'mail' AND kind.name = 'mail_activity_data_warning'
                     AND ir_model.model = 'meta.capi.pixel' AND pixel.pixel_id = '11'
                """,
                automated,
                summary,
            )
        cls.before = cls.read()
        cls.shop.close()
        cls.log = run_odoo(cls.shop, "-u", ADDON, "--stop-after-init")

    @classmethod
    def read(cls):
        return cls.shop.rows(
            f"SELECT {', '.join(KEPT)} FROM meta_capi_event ORDER BY id"
        )

    def test_it_updates_without_a_warning(self):
        self.assertEqual([record.text for record in self.log.bad], [])

    def test_of_the_model_that_is_gone_nothing_is_left(self):
        for table, column in (
            ("ir_model", "model"),
            ("ir_model_fields", "model"),
            ("ir_model_access", "name"),
            ("ir_model_data", "name"),
        ):
            left = self.shop.column(
                f"SELECT {column} FROM {table} WHERE {column} ~ 'meta.capi.cause'"
            )
            self.assertEqual(left, [], table)

    def test_the_notice_of_a_stop_has_a_type_of_its_own(self):
        kinds = dict(
            self.shop.rows(
                "SELECT activity.summary, kind.name FROM mail_activity activity"
                "  JOIN ir_model_data kind ON kind.model = 'mail.activity.type'"
                "   AND kind.res_id = activity.activity_type_id"
                " WHERE activity.res_model = 'meta.capi.pixel'"
            )
        )
        self.assertEqual(
            kinds,
            {
                "Ours": "mail_activity_type_stopped",
                "A person's": "mail_activity_data_warning",
            },
        )

    def test_every_row_is_as_it_was(self):
        self.assertEqual(len(self.before), len(self.rows))
        self.assertEqual(self.read(), self.before)
        worth = set(self.shop.rows("SELECT value, currency FROM meta_capi_event"))
        self.assertEqual(worth, {(12.5, "EUR")})

    def test_every_cause_is_a_key(self):
        causes = dict(self.shop.rows("SELECT event_id, cause FROM meta_capi_event"))
        self.assertEqual(causes, {key: cause for key, (cause, _) in self.rows.items()})

    def test_requests_and_events_list_each_other_instead_of_pairs(self):
        carried = self.shop.rows(
            "SELECT id, array(SELECT event_id FROM meta_capi_event event"
            "                  WHERE event.id = ANY(carried) ORDER BY event_id)"
            "  FROM meta_capi_attempt ORDER BY id"
        )
        self.assertEqual(
            dict(carried), {key: ids for key, (_outcome, ids) in LINKS.items()}
        )
        carried_by = self.shop.rows(
            "SELECT event_id, carried_by FROM meta_capi_event"
            " WHERE carried_by IS NOT NULL"
        )
        self.assertEqual(
            dict(carried_by), {"retrying": [1, 2], "sent": [2], "held": [3]}
        )
        self.assertEqual(
            self.shop.column(
                "SELECT name FROM ir_model_relation"
                " WHERE name = 'meta_capi_attempt_event_rel'"
            ),
            [],
        )
        self.assertEqual(
            self.shop.column("SELECT to_regclass('meta_capi_attempt_event_rel')"),
            [None],
        )

    def test_every_index_of_a_new_database_is_there(self):
        new = shop("update_new")
        self.addCleanup(new.drop)
        indexes = (
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
            " WHERE indrelid::regclass::text LIKE 'meta\\_capi\\_%' ORDER BY 1"
        )
        self.assertEqual(self.shop.rows(indexes), new.rows(indexes))

    def test_the_sums_have_what_the_log_had(self):
        self.assertEqual(self.shop.rows(DIFFERENCES), [])
        self.assertTrue(
            self.shop.value("SELECT sum(events) FROM meta_capi_event_count")
        )

    def test_no_column_is_made_by_postgresql_any_more(self):
        generated = self.shop.column(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = 'meta_capi_event'::regclass AND attgenerated <> ''"
        )
        self.assertEqual(generated, [])

    def test_what_happens_once_is_marked(self):
        marked = self.shop.column(
            "SELECT event_id FROM meta_capi_event WHERE happens_once"
        )
        self.assertEqual(marked, [DIGEST])

    def test_a_pixel_keeps_its_trouble_and_is_told_of_once(self):
        pixels = self.shop.rows(
            "SELECT pixel_id, state, trouble, stopped_at = stopped_told_at"
            " FROM meta_capi_pixel ORDER BY pixel_id"
        )
        self.assertEqual(
            pixels,
            [
                ("11", "stopped", "token_expired", True),
                ("12", "stopped", "no_token", True),
                ("13", "running", "meta_down", None),
                ("14", "running", None, None),
            ],
        )
        columns = self.shop.column(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = 'meta_capi_pixel'"
        )
        self.assertNotIn("witness_wanted", columns)

    def test_a_second_update_changes_nothing(self):
        causes = self.shop.rows("SELECT id, cause FROM meta_capi_event ORDER BY id")
        self.shop.rows(
            "UPDATE ir_module_module SET latest_version = %s WHERE name = %s",
            f"{installation().series}.3.0.0",
            ADDON,
        )
        self.shop.close()
        log = run_odoo(self.shop, "-u", ADDON, "--stop-after-init")
        self.assertEqual([record.text for record in log.bad], [])
        self.assertEqual(self.read(), self.before)
        self.assertEqual(
            self.shop.rows("SELECT id, cause FROM meta_capi_event ORDER BY id"), causes
        )


# What 3.1.0 summed up and looked up otherwise.
LOG_OF_3_1_0 = """
DO $$ BEGIN
    EXECUTE replace(
        pg_get_functiondef('meta_capi_event_count'::regproc), 'action_source, ', ''
    );
END $$;
ALTER TABLE meta_capi_event_count DROP COLUMN action_source;
COMMENT ON TABLE meta_capi_event_count IS NULL;
DROP INDEX meta_capi_event_period;
CREATE INDEX meta_capi_event_period ON meta_capi_event (event_time)
    INCLUDE (event_name, state, sent_at, website_id, company_id, pixel_id,
             user_data_keys, action_source);
"""


@tagged("post_install", "-at_install", "processes")
class TestUpdateOf310(BaseCase):
    """A shop that ran 3.1.0."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shop = shop("update_310")
        cls.addClassCleanup(cls.shop.drop)
        cls.shop.rows(PAIRS + LOG_OF_3_1_0)
        for number, source in enumerate(("website", "website", "physical_store")):
            cls.shop.rows(
                """
                INSERT INTO meta_capi_event (
                    event_name, event_id, pixel_id, event_time, action_source, state,
                    sent_at, user_data_keys
                ) VALUES ('Lead', %s, '14', '2026-01-01', %s, 'sent', '2026-01-02', 'em')
                """,
                *(str(number), source),
            )
        cls.shop.rows(
            "INSERT INTO meta_capi_attempt (id, started_at, pixel_id, outcome)"
            " VALUES (1, now(), '14', 'accepted')"
        )
        cls.shop.rows(
            "INSERT INTO meta_capi_attempt_event_rel SELECT 1, id FROM meta_capi_event"
        )
        cls.shop.rows(
            "UPDATE ir_module_module SET latest_version = %s WHERE name = %s",
            f"{installation().series}.3.1.0",
            ADDON,
        )
        cls.shop.close()
        cls.log = run_odoo(cls.shop, "-u", ADDON, "--stop-after-init")

    def test_it_updates_without_a_warning(self):
        self.assertEqual([record.text for record in self.log.bad], [])

    def test_the_sums_are_the_log_s_by_source(self):
        self.assertEqual(self.shop.rows(DIFFERENCES), [])
        sums = self.shop.rows(
            "SELECT action_source, sum(events)::int FROM meta_capi_event_count"
            " WHERE event_name IS NOT NULL GROUP BY 1 HAVING sum(events) <> 0"
        )
        self.assertEqual(dict(sums), {"website": 2, "physical_store": 1})

    def test_the_indexes_are_those_of_a_new_database(self):
        new = shop("update_310_new")
        self.addCleanup(new.drop)
        indexes = (
            "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'meta\\_capi\\_%'"
            " ORDER BY 1"
        )
        self.assertEqual(self.shop.column(indexes), new.column(indexes))

    def test_requests_and_events_list_each_other(self):
        carried_by = self.shop.rows("SELECT event_id, carried_by FROM meta_capi_event")
        self.assertEqual(dict(carried_by), {"0": [1], "1": [1], "2": [1]})
        self.assertEqual(
            self.shop.rows(
                "SELECT carried = array(SELECT id FROM meta_capi_event ORDER BY id)"
                "  FROM meta_capi_attempt"
            ),
            [(True,)],
        )
