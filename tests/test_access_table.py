import re
from pathlib import Path

from lxml import etree

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..capi.quality import EventQuality
from .test_overview import MODULE, OverviewCase

# Who they are.
USERS = {
    "designer": "base.group_user,website.group_website_designer",
    "salesperson": "sales_team.group_sale_salesman_all_leads",
    "user": f"{MODULE}.group_meta_capi_user",
    "manager": f"{MODULE}.group_meta_capi_manager",
    "administrator": "base.group_system",
}
EVERYBODY = set(USERS)
READERS = {"user", "manager", "administrator"}
MANAGERS = {"manager", "administrator"}
ADMINISTRATORS = {"administrator"}
# What there is to see and to do, and who may.
TABLE = {
    "menu_overview": READERS,
    "menu_log": READERS,
    "menu_pixels": READERS,
    "open_overview": READERS,
    "read_overview": READERS,
    "read_events": READERS,
    "read_pixels": READERS,
    "read_requests": READERS,
    "read_causes": READERS,
    "menu_quality": READERS,
    "read_quality": READERS,
    "read_advice": READERS,
    "ask_quality": MANAGERS,
    "count_of_an_order": {"salesperson"},
    "count_of_a_customer": READERS,
    "retry": MANAGERS,
    "cancel": MANAGERS,
    "send_now": MANAGERS,
    "retry_wizard": MANAGERS,
    "menu_earlier": MANAGERS,
    "send_earlier": MANAGERS,
    "read_earlier": MANAGERS,
    "settings": ADMINISTRATORS,
    "token": ADMINISTRATORS,
    "browsers": ADMINISTRATORS,
    "stores": ADMINISTRATORS,
    "record_from_code": EVERYBODY,
}
MANUAL = Path(__file__).parent.parent / "docs/administrator.md"
# The rows of the manual's table, in its words.
ROWS = {
    "Overview, log, pixels, requests, event match quality": (
        *("menu_overview", "menu_log", "menu_pixels", "open_overview"),
        *("read_overview", "read_events", "read_pixels", "read_requests"),
        *("read_causes", "menu_quality", "read_quality", "read_advice"),
    ),
    "How many events an order has": ("count_of_an_order",),
    "How many events were sent about a customer, and when last": (
        "count_of_a_customer",
    ),
    "Retry, cancel, send now, ask Meta": (
        *("retry", "cancel", "send_now", "retry_wizard", "ask_quality"),
    ),
    "Count and send earlier orders": ("menu_earlier", "send_earlier", "read_earlier"),
    "Settings, the token, kept browsers": (
        *("settings", "token", "browsers", "stores"),
    ),
    "Record events from code": ("record_from_code",),
}


@tagged("post_install", "-at_install")
class TestAccessTable(OverviewCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {
            name: new_test_user(cls.env, f"a-{name}", groups=group)
            for name, group in USERS.items()
        }

    def setUp(self):
        super().setUp()
        self.sale = self.order()
        self.record(origin=self.sale)
        self.deliver()
        late = EventQuality("Lead", freshness="daily")
        self.env["meta.capi.quality"]._keep(self.pixel_id, [late])
        self.env.flush_all()
        self.env.invalidate_all()

    # Each tries one thing as a user: it returns whether it could, or raises.

    def try_menu_overview(self, env):
        return self.sees(env, "meta_capi_overview_menu")

    def try_menu_log(self, env):
        return self.sees(env, "meta_capi_event_menu")

    def try_menu_pixels(self, env):
        return self.sees(env, "meta_capi_pixel_menu")

    def sees(self, env, menu):
        """Tell whether a menu is shown, with all that it is in."""
        menu = self.env.ref(f"{MODULE}.{menu}")
        visible = env["ir.ui.menu"]._visible_menu_ids()
        chain = {int(part) for part in menu.parent_path.split("/") if part}
        return chain <= set(visible)

    def try_open_overview(self, env):
        return bool(env["meta.capi.overview"].get_dashboard()["answer"])

    def try_read_overview(self, env):
        return env["meta.capi.overview"].get_dashboard()["figures"][0]["value"] == "1"

    def try_read_events(self, env):
        return bool(env["meta.capi.event"].search([]).read())

    def try_read_pixels(self, env):
        return bool(env["meta.capi.pixel"].search([]).read())

    def try_read_requests(self, env):
        return bool(env["meta.capi.attempt"].search([]).read())

    def try_read_causes(self, env):
        return bool(env["meta.capi.cause"].search([]).read())

    def try_menu_quality(self, env):
        return self.sees(env, "meta_capi_quality_menu")

    def try_read_quality(self, env):
        return bool(env["meta.capi.quality"].search([]).read())

    def try_read_advice(self, env):
        return bool(env["meta.capi.quality"].advice())

    def try_ask_quality(self, env):
        return self.env["meta.capi.pixel"].search([]).with_env(env).action_ask_quality()

    def try_count_of_an_order(self, env):
        order = self.sale.with_env(env)
        order.read(["meta_capi_event_count"])
        return order.meta_capi_event_count == 1

    def try_count_of_a_customer(self, env):
        partner = self.customer.with_env(env)
        partner.read(["meta_capi_event_count", "meta_capi_last_event_date"])
        return partner.meta_capi_event_count == 1

    def try_retry(self, env):
        event = self.record(event_id="bad", user_data={"ct": "Berlin"})
        return event.with_env(env).action_retry()

    def try_cancel(self, env):
        return self.record(event_id="another").with_env(env).action_cancel()

    def try_send_now(self, env):
        return self.record(event_id="another").with_env(env).action_send_now()

    def try_retry_wizard(self, env):
        self.record(event_id="bad", user_data={"ct": "Berlin"})
        return env["meta.capi.retry"].create({}).action_retry()

    def try_menu_earlier(self, env):
        return self.sees(env, "meta_capi_backfill_menu")

    def try_send_earlier(self, env):
        backfill = env["meta.capi.backfill"].create({})
        backfill.action_count()
        return backfill.state == "counted"

    def try_read_earlier(self, env):
        backfill = self.env["meta.capi.backfill"].create({})
        backfill._add_lines(self.env["sale.order"]._search([("id", "=", self.sale.id)]))
        lines = env["meta.capi.backfill.line"].search([]).read()
        return bool(lines and env["meta.capi.backfill.result"].search([]).read())

    def try_settings(self, env):
        settings = env["res.config.settings"]
        if "meta_capi" not in settings.get_view()["arch"]:
            return False
        settings.create({"meta_capi_enabled": True}).execute()
        return True

    def try_token(self, env):
        website = self.website.with_env(env)
        parameter = env["ir.config_parameter"].get_param("meta_capi.access_token")
        return bool(website.read(["meta_capi_access_token"]) and parameter)

    def try_browsers(self, env):
        env["meta.capi.browser"].search([])
        return True

    def try_stores(self, env):
        env["meta.capi.store"].search([]).write({"is_on": False})
        return True

    def try_record_from_code(self, env):
        user_data = {"external_id": "42"}
        return bool(env["meta.conversions.api"].send_event("Lead", user_data=user_data))

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model", "odoo.http")
    def test_each_can_do_what_the_table_says_and_nothing_else(self):
        for thing, allowed in TABLE.items():
            attempt = getattr(self, f"try_{thing}")
            for name, user in self.users.items():
                with self.subTest(thing=thing, user=name):
                    with self.env.cr.savepoint() as savepoint:
                        try:
                            could = bool(attempt(self.env(user=user)))
                        except AccessError:
                            could = False
                        savepoint.rollback()
                    self.env.invalidate_all()
                    self.assertEqual(could, name in allowed)

    def test_the_manual_has_the_same_table(self):
        text = MANUAL.read_text(encoding="utf-8")
        lines = re.findall(
            r"^\| (.+) \|$", text.partition("\n## Who may do what\n")[2], re.M
        )
        table = {
            title: cells for title, *cells in (row.split(" | ") for row in lines[1:])
        }
        self.assertEqual(table.keys(), ROWS.keys())
        self.assertEqual(
            {thing for things in ROWS.values() for thing in things}, TABLE.keys()
        )
        for title, things in ROWS.items():
            for name, cell in zip(USERS, table[title], strict=True):
                for thing in things:
                    with self.subTest(thing=thing, user=name):
                        # Some have a right that none of these users has by itself.
                        self.assertEqual(cell == "yes", name in TABLE[thing])

    def test_what_is_not_for_a_user_is_not_in_the_views_either(self):
        for model, words in (
            ("sale.order", {"action_view_meta_capi_events": READERS}),
            ("res.partner", {"action_view_meta_capi_events": READERS}),
            (
                "meta.capi.event",
                {
                    "action_retry": MANAGERS,
                    "action_send_now": MANAGERS,
                    "cure": READERS,
                },
            ),
        ):
            for name, user in self.users.items():
                if model == "meta.capi.event" and name not in READERS:
                    continue
                if model == "sale.order" and name not in ("salesperson",):
                    continue
                view = self.env[model].with_user(user).get_view(view_type="form")
                names = {
                    node.get("name") for node in etree.fromstring(view["arch"]).iter()
                }
                for word, allowed in words.items():
                    with self.subTest(model=model, user=name, word=word):
                        self.assertEqual(word in names, name in allowed)

    def test_the_records_are_those_of_the_users_companies(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        stranger = new_test_user(
            self.env,
            "a-stranger",
            groups=f"{USERS['manager']},sales_team.group_sale_salesman_all_leads",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        env = self.env(user=stranger)
        self.assertFalse(env["meta.capi.event"].search([]))
        self.assertEqual(self.figure("sent"), "1")
        self.assertEqual(self.figure("sent", user=stranger), "0")
        self.arm()
        self.without_purchase()
        self.assertEqual(self.missing(stranger), 0)
        self.assertEqual(self.missing(), 1)

    def missing(self, user=None):
        """Return how many orders of the dashboard have no Purchase."""
        overview = self.env["meta.capi.overview"].with_user(user or self.manager)
        return len(overview.get_orders_action("missing")["domain"][0][2])
