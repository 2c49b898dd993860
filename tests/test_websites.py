from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.modules.registry import _CACHES_BY_KEY
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from ..models.settings import setting
from .common import MetaCapiCase, stop_pixel

# Of each value a website may have of its own: three that can be told apart, and how
# the settings show the first two.
VALUES = {
    "meta_capi_pixel_id": ("1000001", "2000002", "3000003"),
    "meta_capi_access_token": ("token-common", "token-own", "token-new"),
    "meta_capi_test_event_code": ("TEST1", "TEST2", "TEST3"),
    "meta_capi_extra_pixel_ids": ("11", "22,222", "33"),
    "meta_capi_bridge_enabled": ("False", "True", None),
    "meta_capi_pixel_mode": ("page", "load", "server"),
    "meta_capi_bridge_events": ("Lead", "Contact", "Search,Lead"),
    "meta_capi_purchase_trigger": ("confirmed", "paid", "delivered"),
    "meta_capi_consent_source": ("none", "odoo", "external"),
}
KEYS = {declared.field_name: declared.key for declared in setting.PER_WEBSITE}
TOKEN = "meta_capi_access_token"
TOKEN_SET_ON = "meta_capi.access_token_set_on"
# What a person can empty.
TEXTS = {
    *("meta_capi_pixel_id", "meta_capi_test_event_code", "meta_capi_bridge_events"),
    "meta_capi_extra_pixel_ids",
}


class WebsitesCase(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env,
            "boss",
            groups="base.group_system,website.group_website_designer,"
            "website.group_multi_website",
        )
        (cls.env["website"].search([]) - cls.website).unlink()
        cls.website.name = "First"
        cls.purchase = cls.env["meta.capi.purchase"]
        cls.config = cls.env["meta.capi.config"]
        cls.pixels = cls.env["meta.capi.pixel"].with_context(active_test=False)

    def second(self):
        return self.env["website"].create({"name": "Second"})

    def settings(self, website=None):
        """Open the settings and choose a website at the top."""
        form = Form(self.env["res.config.settings"].with_user(self.admin))
        if website and form.website_id != website:
            form.website_id = website
        return form

    def save(self, website=None, **values):
        with self.settings(website) as form:
            for name, value in values.items():
                form[f"meta_capi_{name}"] = value
        form.record.execute()
        self.env.flush_all()

    def pixel(self, pixel_id):
        return self.pixels.search([("pixel_id", "=", pixel_id)])

    @contextmanager
    def taken_back(self):
        """Take back what happens inside, caches included."""
        self.env.flush_all()
        with self.env.cr.savepoint() as savepoint:
            yield
            self.env.flush_all()
            savepoint.rollback()
        self.env.invalidate_all()
        # Not the views: to read them anew takes longer than all the rest.
        for name in {"default", "stable"} & _CACHES_BY_KEY.keys():
            self.env.registry.clear_cache(name)


@tagged("post_install", "-at_install", "slow")
class TestWebsiteTable(WebsitesCase):
    """Every value, of every website there is, saved, changed and cleared in the box."""

    def snapshot(self):
        self.env.flush_all()
        self.env.invalidate_all()
        parameters = self.parameters.search([("key", "=like", "meta_capi.%")])
        websites = self.env["website"].search([])
        return {
            **{("common", p.key): p.value for p in parameters},
            **{
                (website.name, field): website[field]
                for website in websites
                for field in VALUES
                if website[field]
            },
            ("common", "trigger"): self.purchase._common(),
        }

    def prepare(self, field, chosen, own):
        """Set what is common, the chosen website's own, and the other websites'."""
        common, of_its_own, _new = VALUES[field]
        self.parameters.set_param(KEYS[field], common)
        if own:
            chosen[field] = of_its_own
        for other in self.env["website"].search([]) - chosen:
            other[field] = of_its_own

    def change(self, field, own):
        """Return a value that is not yet in force."""
        common, of_its_own, new = VALUES[field]
        return new or (common if own else of_its_own)

    def do(self, act, field, wizard, value):
        """Save a wizard with all that the page sends, of which one value was changed."""
        if act == "change":
            value = value == "True" if field.endswith("_enabled") else value
        elif act == "clear" and field in TEXTS:
            value = False
        else:
            value = wizard[field]
        shown = {name: wizard[name] for name in VALUES} | {field: value}
        wizard = wizard.create({"website_id": wizard.website_id.id, **shown})
        if act == "clear" and field == TOKEN:
            wizard.action_meta_capi_remove_token()
        elif act == "clear" and field not in TEXTS:
            wizard.with_context(meta_capi_field=field).action_meta_capi_use_common()
        wizard.execute()

    def expected(self, before, act, field, website, own, value, many):
        if act == "unchanged":
            return before
        after = dict(before)
        value = value if act == "change" else None
        if not many:
            after["common", KEYS[field]] = value
            if field == TOKEN and not value:
                # The day that it was set goes with it.
                after["common", TOKEN_SET_ON] = None
        if many or own:
            after[website.name, field] = value
        if field == "meta_capi_purchase_trigger" and not many and value:
            after["common", "trigger"] = value
        return {key: value for key, value in after.items() if value is not None}

    def cells(self):
        for number, own, field, act in product(
            (1, 2), (False, True), VALUES, ("unchanged", "change", "clear")
        ):
            # With one website, a choice has no common one to go back to.
            if number == 1 and act == "clear" and field not in {*TEXTS, TOKEN}:
                continue
            for chosen in range(number):
                yield number, chosen, own, field, act

    def test_the_box_changes_what_was_changed_for_the_website_and_nothing_else(self):
        cells = list(self.cells())
        self.assertEqual(len(cells), 2 * 9 * 3 - 2 * 4 + 2 * 2 * 9 * 3)
        for number in (1, 2):
            with self.taken_back():
                if number == 2:
                    self.second()
                # The first save makes parameters of what was left at its default.
                self.save()
                for size, chosen, own, field, act in cells:
                    if size != number:
                        continue
                    with (
                        self.subTest(
                            websites=number,
                            chosen=chosen,
                            own=own,
                            field=field,
                            act=act,
                        ),
                        self.taken_back(),
                    ):
                        self.try_cell(number, chosen, own, field, act)

    def try_cell(self, number, chosen, own, field, act):
        website = self.env["website"].search([], order="id")[chosen]
        self.prepare(field, website, own)
        value = self.change(field, own)
        before = self.snapshot()
        settings = self.env["res.config.settings"].with_user(self.admin)
        wizard = settings.new({"website_id": website.id})
        self.assertEqual(wizard.meta_capi_many_websites, number == 2)
        self.assertEqual(wizard[f"{field}_own"], own and number == 2)
        if field != TOKEN:
            self.assertEqual(str(wizard[field]), VALUES[field][own])
        self.do(act, field, wizard, value)
        self.assertEqual(
            self.snapshot(),
            self.expected(before, act, field, website, own, value, number == 2),
        )


@tagged("post_install", "-at_install")
class TestWebsites(WebsitesCase):
    def setUp(self):
        super().setUp()
        self.other = self.second()

    # ---------------------------------------------------------------------- the box

    def test_choosing_another_website_shows_what_is_in_force_there(self):
        self.other.meta_capi_pixel_id = "2000002"
        self.other.meta_capi_bridge_enabled = "True"
        form = self.settings()
        self.assertEqual(form.website_id, self.website)
        self.assertEqual(form.meta_capi_pixel_id, self.pixel_id)
        form.meta_capi_test_event_code = "TEST1"
        form.website_id = self.other
        self.assertEqual(form.meta_capi_pixel_id, "2000002")
        self.assertTrue(form.meta_capi_pixel_id_own)
        self.assertTrue(form.meta_capi_bridge_enabled)
        self.assertFalse(form.meta_capi_test_event_code)
        self.assertFalse(form.meta_capi_test_event_code_own)

    def test_a_wizard_made_by_code_is_of_the_website_it_names(self):
        settings = self.env["res.config.settings"].with_user(self.admin)
        self.other.meta_capi_pixel_id = "2000002"
        wizard = settings.create(
            {"website_id": self.other.id, "meta_capi_test_event_code": "TEST2"}
        )
        self.assertEqual(wizard.meta_capi_pixel_id, "2000002")
        wizard.execute()
        self.assertEqual(self.other.meta_capi_test_event_code, "TEST2")
        self.assertFalse(self.parameters.get_param("meta_capi.test_event_code"))
        self.assertEqual(self.parameters.get_param("meta_capi.pixel_id"), self.pixel_id)

    def test_two_websites_with_a_pixel_each_are_set_up_by_clicks_alone(self):
        for key in ("enabled", "pixel_id", "access_token"):
            self.parameters.set_param(f"meta_capi.{key}", False)
        first, second = "1000001", "2000002"
        self.graph.pixels = {first: {"token-1"}, second: {"token-2"}}
        self.save(self.website, enabled=True, pixel_id=first, access_token="token-1")
        self.save(
            self.other,
            pixel_id=second,
            access_token="token-2",
            extra_pixel_ids=f"{first}",
        )
        self.assertFalse(self.parameters.get_param("meta_capi.pixel_id"))
        here = self.record(website=self.website)
        there = self.record(website=self.other)
        self.assertEqual((here.pixel_id, there.pixel_id), (first, second))
        self.deliver(first)
        self.deliver(second)
        self.assertEqual((here.state, there.state), ("sent", "sent"))
        copies = self.env["meta.capi.event"].search(
            [("event_id", "=", there.event_id), ("id", "!=", there.id)]
        )
        self.assertEqual((copies.pixel_id, copies.state), (first, "sent"))
        # The stand-in takes an event of a pixel with a token of that pixel only.
        self.assertEqual(
            [(request.pixel_id, request.status) for request in self.graph.requests],
            [(first, 200), (second, 200)],
        )

    def test_a_copy_goes_with_the_token_of_the_pixel_that_it_goes_to(self):
        self.other.write(
            {
                "meta_capi_pixel_id": "2000002",
                "meta_capi_access_token": "token-2",
                "meta_capi_extra_pixel_ids": self.pixel_id,
            }
        )
        self.assertEqual(self.config._access_token(self.pixel_id), self.token)
        self.assertEqual(self.config._access_token("2000002"), "token-2")

    def test_websites_of_companies_are_each_its_own(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        self.other.company_id = company
        self.admin.write({"company_ids": [(4, company.id)]})
        settings = self.env["res.config.settings"].with_user(self.admin)
        form = Form(settings.with_company(company))
        self.assertEqual(form.website_id, self.other)
        form.meta_capi_pixel_id = "2000002"
        form.save().execute()
        self.assertEqual(self.other.meta_capi_pixel_id, "2000002")
        self.assertFalse(self.website.meta_capi_pixel_id)
        event = self.record(website=self.other)
        self.assertEqual((event.pixel_id, event.company_id), ("2000002", company))

    def test_a_click_leads_to_the_common_values(self):
        with self.settings() as form:
            pass
        action = form.record.action_meta_capi_open_parameters()
        found = self.env[action["res_model"]].search(action["domain"])
        self.assertIn("meta_capi.pixel_id", found.mapped("key"))

    def test_after_a_click_the_chosen_website_stays_chosen(self):
        self.other.meta_capi_pixel_id = "2000002"
        for website, stays in ((self.website, True), (self.other, False)):
            with self.settings(website) as form:
                pass
            action = form.record.action_meta_capi_remove_token()
            follow_up = action["params"]["next"]
            if stays:
                self.assertEqual(follow_up["type"], "ir.actions.act_window_close")
                continue
            settings = self.env["res.config.settings"].with_user(self.admin)
            opened = Form(settings.with_context(**follow_up["context"]))
            self.assertEqual(opened.website_id, self.other)
            with opened:
                pass
            action = opened.record.action_meta_capi_remove_token()
            follow_up = action["params"]["next"]
            self.assertEqual(follow_up["type"], "ir.actions.act_window_close")

    def test_only_an_administrators_click_takes_away(self):
        designer = new_test_user(
            self.env, "designer", groups="website.group_website_designer"
        )
        with self.settings(self.other) as form:
            pass
        wizard = form.record.with_user(designer)
        for name in (
            *("action_meta_capi_use_common", "action_meta_capi_remove_token"),
            *("action_meta_capi_remove_app_secret", "action_meta_capi_move_events"),
        ):
            with self.subTest(name=name), self.assertRaises(AccessError):
                getattr(wizard, name)()
        with self.assertRaises(UserError):
            form.record.with_context(
                meta_capi_field="name"
            ).action_meta_capi_use_common()

    # ------------------------------------------------------------------ the website

    @mute_logger("odoo.models")
    def test_a_website_designer_reads_and_writes_none_of_it(self):
        designer = new_test_user(
            self.env, "designer", groups="website.group_website_designer"
        )
        website = self.other.with_user(designer)
        website.name = "Renamed"
        for field, (_common, value, _new) in VALUES.items():
            with self.subTest(field=field):
                with self.assertRaises(AccessError):
                    website[field] = value
                with self.assertRaises(AccessError):
                    website.read([field])
                with self.assertRaises(AccessError):
                    website.create({"name": "Third", field: value})

    def test_a_copy_of_a_website_begins_with_what_is_common(self):
        self.other.write({field: value[1] for field, value in VALUES.items()})
        copy = self.other.copy({"domain": False})
        for field in VALUES:
            self.assertFalse(copy[field])

    def test_a_website_says_what_counts_for_it(self):
        self.other.write({field: value[1] for field, value in VALUES.items()})
        self.assertTrue(self.config._get(setting.BRIDGE_ENABLED, self.other))
        self.assertFalse(self.config._get(setting.BRIDGE_ENABLED, self.website))
        self.assertFalse(self.config._get(setting.BRIDGE_ENABLED))
        self.assertEqual(self.config._get(setting.PIXEL_MODE, self.other), "load")
        self.assertEqual(self.config._get(setting.PIXEL_MODE), "page")
        self.assertEqual(
            self.config._get(setting.BRIDGE_EVENTS, self.other), ("Contact",)
        )
        self.assertEqual(
            self.config._get(setting.BRIDGE_EVENTS), setting.BRIDGE_EVENTS.default
        )
        self.other.meta_capi_consent_source = "external"
        self.assertEqual(
            self.config._get(setting.CONSENT_SOURCE, self.other), "external"
        )
        self.assertEqual(self.config._get(setting.CONSENT_SOURCE, self.website), "odoo")
        self.assertEqual(self.config._get(setting.CONSENT_SOURCE), "odoo")
        self.other.meta_capi_bridge_enabled = "False"
        self.parameters.set_param("meta_capi.bridge_enabled", "True")
        self.assertFalse(self.config._get(setting.BRIDGE_ENABLED, self.other))

    def test_a_source_of_consent_that_cannot_be_read_asks_for_more(self):
        self.parameters.set_param("meta_capi.consent_source", "none")
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE ir_config_parameter SET value = 'cookiebot'"
            " WHERE key = 'meta_capi.consent_source'"
        )
        self.env.registry.clear_all_caches()
        self.assertEqual(self.config._get(setting.CONSENT_SOURCE), "external")

    # ---------------------------------------------------------------- by their names

    def test_settings_and_overview_call_a_website_by_its_name(self):
        self.other.meta_capi_pixel_id = "2000002"
        self.other.meta_capi_access_token = "cut-off"
        health = self.settings().meta_capi_health
        self.assertIn("2000002</a>\n            (Second)", health)
        self.assertIn(f"{self.pixel_id}</a>\n            (First)", health)
        self.assertIn("Second: The access token does not begin with EAA", health)
        self.parameters.set_param("meta_capi.pixel_id", False)
        self.assertIn("First: No pixel is set", self.settings().meta_capi_health)
        overview = self.env["meta.capi.overview"]
        self.assertIn(
            "No pixel is set for First", overview.get_dashboard()["notices"][0]
        )
        self.parameters.set_param("meta_capi.pixel_id", self.pixel_id)
        self.other.meta_capi_test_event_code = "TEST2"
        self.assertIn("is set for Second", overview.get_dashboard()["notices"][0])

    def test_an_activity_calls_a_website_by_its_name(self):
        self.other.meta_capi_pixel_id = "2000002"
        pixel = self.pixels._get("2000002")
        stop_pixel(pixel)
        self.assertIn("2000002 (Second)", pixel.activity_ids[:1].summary)
        self.assertEqual(pixel.website_names, "Second")

    def test_the_log_names_the_website_without_a_pixel(self):
        self.parameters.set_param("meta_capi.pixel_id", False)
        self.website.meta_capi_pixel_id = self.pixel_id
        with self.assertLogs("meta.conversions.api", "WARNING") as log:
            self.assertFalse(self.record(website=self.other))
            self.assertFalse(self.record(website=self.other))
        self.assertEqual(len(log.output), 1)
        self.assertIn("Second", log.output[0])


@tagged("post_install", "-at_install")
class TestForgotten(WebsitesCase):
    """That no process keeps a setting that is no more."""

    def test_who_asks_before_the_commit_learns_the_new_value_after_it(self):
        config = self.env["meta.capi.config"]
        former = config._text(setting.PIXEL_ID, self.website)
        self.website.meta_capi_pixel_id = "5555555"
        self.env.registry.clear_cache()
        # Another thread, which does not see this transaction.
        with patch.object(type(config), "_text", return_value=former):
            self.assertNotEqual(config._pixel_id(self.website), "5555555")
        self.env.cr.postcommit.run()
        self.assertEqual(config._pixel_id(self.website), "5555555")


@tagged("post_install", "-at_install")
class TestPurchasePerWebsite(WebsitesCase):
    def setUp(self):
        super().setUp()
        self.other = self.second()
        self.product.invoice_policy = "order"

    def purchases(self, order):
        return self.env["meta.capi.event"].search_count(
            [
                ("event_name", "=", "Purchase"),
                ("res_model", "=", "sale.order"),
                ("res_id", "=", order.id),
            ]
        )

    def confirm(self, website):
        order = self.order(website_id=website.id)
        order.action_confirm()
        return order

    def test_each_website_sends_its_purchases_at_its_own_moment(self):
        for common, own in product(
            ("never", "confirmed", "invoiced"), ("never", "confirmed", "invoiced")
        ):
            with self.subTest(common=common, own=own), self.taken_back():
                self.parameters.set_param("meta_capi.purchase_trigger", common)
                self.save(self.other, purchase_trigger=own)
                here, there = self.confirm(self.website), self.confirm(self.other)
                self.assertEqual(self.purchases(here), common == "confirmed")
                self.assertEqual(self.purchases(there), own == "confirmed")
                (here + there)._create_invoices().action_post()
                self.assertEqual(self.purchases(here), common != "never")
                self.assertEqual(self.purchases(there), own != "never")

    def test_what_a_person_has_armed_stays_common(self):
        automation = self.env.ref("ih_meta_conversions_api.automation_purchase")
        automation.active = True
        self.assertEqual(self.purchase._trigger(self.website), "confirmed")
        self.save(self.other, purchase_trigger="never")
        self.assertEqual(self.purchase._trigger(self.website), "confirmed")
        self.assertEqual(self.purchases(self.confirm(self.other)), 0)
        self.assertEqual(self.purchases(self.confirm(self.website)), 1)
        # The same moment of its own, for what is common changes later.
        self.save(self.other, purchase_trigger="confirmed")
        self.assertEqual(self.purchase._trigger(self.website), "confirmed")
        automation.active = False
        self.assertEqual(self.purchase._trigger(self.website), "never")

    def test_an_order_is_from_where_its_website_is_now(self):
        for domain in ("https://one.example.com", "https://two.example.com"):
            self.other.domain = domain
            order = self.order(website_id=self.other.id)
            event = self.api.send_event("Lead", origin=order)
            self.assertTrue(event.event_source_url.startswith(domain))

    def test_a_form_that_is_not_saved_tells_what_a_website_wants(self):
        self.parameters.set_param("meta_capi.purchase_trigger", "confirmed")
        self.save(self.other, purchase_trigger="paid")
        copy = self.env["website"].new(origin=self.other)
        self.assertEqual(self.purchase._trigger(copy), "paid")

    def test_a_website_that_is_deleted_arms_nothing_any_more(self):
        automation = self.env.ref("ih_meta_conversions_api.automation_purchase")
        self.save(self.other, purchase_trigger="confirmed")
        self.assertTrue(automation.active)
        self.assertEqual(self.purchase._trigger(self.website), "never")
        self.other.unlink()
        self.assertFalse(automation.active)
        self.assertEqual(self.purchase._trigger(self.website), "never")

    def test_orders_are_missing_by_what_their_own_website_wants(self):
        self.parameters.set_param("meta_capi.purchase_trigger", "confirmed")
        self.save(self.other, purchase_trigger="never")
        self.shift("write_date", 3600, "base_automation")
        self.shift("write_date", 3600, "ir_config_parameter")
        purchases = self.env["meta.capi.event"]
        orders = self.confirm(self.website) + self.confirm(self.other)
        orders.meta_capi_purchase_recorded_at = False
        purchases.search([]).unlink()
        reconciliation = self.env["meta.capi.reconciliation"]
        days = reconciliation._by_day(fields.Datetime.now() - timedelta(hours=1))
        missing = [ids for day in days.values() for ids in day.get("missing", ())]
        self.assertEqual(missing, orders[0].ids)
        self.assertEqual(set(reconciliation._armed_since()), set(self.website.ids))

    def test_the_try_of_an_action_says_that_its_website_wants_otherwise(self):
        self.parameters.set_param("meta_capi.purchase_trigger", "confirmed")
        self.save(self.other, purchase_trigger="invoiced")
        order = self.order(website_id=self.other.id)
        action = self.env.ref("ih_meta_conversions_api.action_purchase")
        action.meta_capi_preview_ref = f"sale.order,{order.id}"
        self.assertIn("its website sends", action.meta_capi_preview_trouble)


@tagged("post_install", "-at_install")
class TestPixelWithoutUse(WebsitesCase):
    """A pixel ID that was mistyped, or is changed: what waits for it, and its row."""

    WRONG = "1234500000"

    def setUp(self):
        super().setUp()
        self.parameters.set_param("meta_capi.pixel_id", self.WRONG)

    def mistype(self, **arguments):
        """Return an event that Meta does not take, because no such pixel is known."""
        event = self.record(**arguments)
        self.deliver(self.WRONG)
        self.assertEqual(event.state, "pending")
        self.assertEqual(self.pixel(self.WRONG).state, "stopped")
        return event

    @mute_logger("meta.conversions.api")
    def test_a_purchase_held_on_a_mistyped_pixel_is_moved_at_a_click_and_sent_once(
        self,
    ):
        event = self.mistype()
        self.save(pixel_id=self.pixel_id)
        self.deliver(self.WRONG)
        self.assertEqual(
            (event.short_cause, event.pixel_id), ("Pixel of no website", self.WRONG)
        )
        self.assertIn("Move Events", event.cure)
        with self.settings() as form:
            self.assertIn("1 events wait for pixel", form.meta_capi_health)
            self.assertEqual(form.meta_capi_movable_count, 1)
        form.record.action_meta_capi_move_events()
        self.env.invalidate_all()
        self.assertEqual((event.pixel_id, event.state), (self.pixel_id, "pending"))
        self.graph.clear()
        self.deliver()
        self.assertEqual(event.state, "sent")
        self.assertEqual(len(self.graph.requests), 1)
        form.record.action_meta_capi_move_events()
        self.deliver()
        self.assertEqual(len(self.graph.requests), 1)
        self.assertFalse(self.settings().meta_capi_movable_count)

    @mute_logger("meta.conversions.api")
    def test_what_may_have_arrived_or_is_there_already_is_not_moved(self):
        arrived, known, free, done = (
            self.mistype(event_id=event_id)
            for event_id in ("arrived", "known", "free", "done")
        )
        attempt = self.env["meta.capi.attempt"]._begin(
            self.WRONG, arrived.ids, fields.Datetime.now()
        )
        self.assertTrue(attempt.arrived)
        done.action_cancel()
        self.save(pixel_id=self.pixel_id)
        self.record(event_id="known")
        self.deliver()
        pixel = self.pixel(self.WRONG)
        self.assertEqual(pixel.movable_count, 1)
        self.assertIn("1", pixel.action_move_events()["params"]["message"])
        self.env.invalidate_all()
        self.assertEqual(
            (arrived + known + free + done).mapped("pixel_id"),
            [self.WRONG, self.WRONG, self.pixel_id, self.WRONG],
        )
        self.assertIn("0", pixel.action_move_events()["params"]["message"])

    @mute_logger("meta.conversions.api")
    def test_what_is_moved_gets_a_job(self):
        event = self.mistype()
        self.save(pixel_id=self.pixel_id)
        self.jobs.enqueued_jobs.clear()
        self.pixel(self.WRONG).action_move_events()
        self.env.invalidate_all()
        self.assertEqual(event.pixel_id, self.pixel_id)
        self.jobs.assert_enqueued_job(self.delivery._deliver, args=(self.pixel_id,))

    @mute_logger("meta.conversions.api")
    def test_nothing_is_moved_without_a_pixel_or_from_one_that_is_used(self):
        self.mistype()
        for main, extra in ((False, False), (self.pixel_id, self.WRONG)):
            self.parameters.set_param("meta_capi.pixel_id", main)
            self.parameters.set_param("meta_capi.extra_pixel_ids", extra)
            with self.subTest(main=main, extra=extra):
                self.assertFalse(self.pixel(self.WRONG)._moves())

    @mute_logger("meta.conversions.api")
    def test_what_another_website_sends_there_is_left_alone(self):
        other = self.second()
        event = self.mistype(website=other)
        copy_target = self.mistype(website=self.website)
        other.meta_capi_pixel_id = self.pixel_id
        pixel = self.pixel(self.WRONG)
        pixel.action_move_events()
        self.env.invalidate_all()
        self.assertEqual(event.pixel_id, self.pixel_id)
        self.assertEqual(copy_target.pixel_id, self.WRONG)
        self.assertTrue(pixel.active)

    @mute_logger(
        "meta.conversions.api", "odoo.models", "odoo.addons.base.models.ir_model"
    )
    def test_only_managers_move_and_try_again(self):
        self.mistype()
        reader = new_test_user(
            self.env, "reader", groups="ih_meta_conversions_api.group_meta_capi_user"
        )
        pixel = self.pixel(self.WRONG).with_user(reader)
        self.assertEqual(pixel.movable_count, 0)
        for name in ("action_move_events", "action_try_again"):
            with self.assertRaises(AccessError):
                getattr(pixel, name)()

    @mute_logger("meta.conversions.api")
    def test_a_pixel_without_use_is_archived_and_comes_back(self):
        self.mistype()
        pixel = self.pixel(self.WRONG)
        self.assertTrue(pixel.active)
        self.assertTrue(pixel.activity_ids)
        self.save(pixel_id=self.pixel_id)
        self.deliver(self.WRONG)
        self.assertFalse(pixel.active)
        self.assertFalse(pixel.activity_ids)
        self.assertNotIn(pixel, self.env["meta.capi.pixel"].search([]))
        self.delivery._sweep()
        self.assertFalse(pixel.activity_ids)
        # What waits is not lost to sight.
        event = self.env["meta.capi.event"].search([("pixel_id", "=", self.WRONG)])
        self.assertTrue(event.is_held)
        self.assertEqual(event.action_open_pixel()["res_id"], pixel.id)
        dashboard = self.env["meta.capi.overview"].get_dashboard()
        self.assertEqual([held["id"] for held in dashboard["held"]], pixel.ids)
        self.assertIn("Move Events", dashboard["answer"]["detail"])
        self.assertEqual(
            dashboard["answer"]["button"]["record"], ["meta.capi.pixel", pixel.id]
        )
        self.save(pixel_id=self.WRONG)
        self.assertTrue(pixel.active)

    @mute_logger("meta.conversions.api")
    def test_a_pixel_of_a_website_that_is_deleted_is_archived(self):
        other = self.second()
        other.meta_capi_pixel_id = "2000002"
        pixel = self.pixels._get("2000002")
        stop_pixel(pixel)
        self.assertTrue(pixel.active)
        other.unlink()
        self.assertFalse(pixel.active)

    @mute_logger("meta.conversions.api")
    def test_the_common_pixel_is_archived_once_nothing_goes_there(self):
        event = self.mistype()
        pixel = self.pixel(self.WRONG)
        self.website.meta_capi_pixel_id = self.pixel_id
        self.assertFalse(event.website_id)
        self.assertTrue(pixel.active)
        event.action_cancel()
        self.delivery._sweep()
        self.assertFalse(pixel.active)
        # Not in silence: somebody else's event may go there at any time.
        self.mistype()
        self.delivery._sweep()
        self.assertTrue(pixel.active)

    @mute_logger("meta.conversions.api")
    def test_the_sweep_archives_what_was_missed(self):
        pixel = self.pixels._get("777")
        stop_pixel(pixel)
        self.assertFalse(pixel.activity_ids)
        self.delivery._sweep()
        self.assertFalse(pixel.active)

    # -------------------------------------------------------------------- try again

    @mute_logger("meta.conversions.api")
    def test_try_again_now_sends_what_is_held(self):
        event = self.mistype()
        self.graph.pixels[self.WRONG] = {self.token}
        self.pixel(self.WRONG).action_try_again()
        self.assertEqual(self.pixel(self.WRONG).state, "running")
        self.deliver(self.WRONG)
        self.assertEqual(event.state, "sent")

    def test_try_again_now_says_that_it_is_switched_off(self):
        pixel = self.pixels._get(self.WRONG)
        self.parameters.set_param("meta_capi.enabled", "False")
        with self.assertRaisesRegex(UserError, "switched off"):
            pixel.action_try_again()


@tagged("post_install", "-at_install")
class TestSavedAgain(WebsitesCase):
    """Tokens as people paste them, save them again, and take them away."""

    PASTED = (
        *('"EAAB12cd"', "'EAAB12cd'", "“EAAB12cd”", " EAAB12cd\n", "EAAB\n12cd"),
        *("Bearer EAAB12cd", "bearer  'EAAB12cd'", '"Bearer EAAB12cd"'),
        *("EAAB\r\n    12cd", "\ufeffEAAB12cd\u200b", "Authorization: Bearer EAAB12cd"),
    )

    def stop(self):
        pixel = self.pixels._get(self.pixel_id)
        stop_pixel(pixel)
        return pixel

    def test_a_pasted_token_is_cleaned_wherever_it_is_saved(self):
        for text in self.PASTED:
            with self.subTest(text=text):
                for save, kept in (
                    (
                        lambda text: self.save(access_token=text),
                        lambda: self.parameters.get_param("meta_capi.access_token"),
                    ),
                    (
                        lambda text: self.parameters.set_param(
                            "meta_capi.access_token", text
                        ),
                        lambda: self.parameters.get_param("meta_capi.access_token"),
                    ),
                    (
                        lambda text: self.parameters.set_param(
                            "meta_capi.app_secret", text
                        ),
                        lambda: self.config._get(setting.APP_SECRET),
                    ),
                    (
                        lambda text: self.website.write({TOKEN: text}),
                        lambda: self.website[TOKEN],
                    ),
                ):
                    save(text)
                    self.assertEqual(kept(), "EAAB12cd")
                self.website[TOKEN] = False

    def test_quotes_alone_are_no_token(self):
        self.save(access_token='""')
        self.assertEqual(
            self.parameters.get_param("meta_capi.access_token"), self.token
        )

    def test_the_same_value_saved_again_releases(self):
        pixel = self.stop()
        for save in (
            lambda: self.save(access_token=self.token),
            lambda: self.save(access_token=f'"{self.token}"'),
            lambda: self.parameters.set_param("meta_capi.access_token", self.token),
            lambda: self.parameters.set_param("meta_capi.pixel_id", self.pixel_id),
            lambda: self.parameters.search(
                [("key", "=", "meta_capi.access_token")]
            ).write({"value": self.token}),
            lambda: self.website.write({TOKEN: "own-token"}),
            lambda: self.website.write({TOKEN: "own-token"}),
            lambda: self.parameters.set_param("meta_capi.app_secret", "secret-1"),
            lambda: self.parameters.set_param("meta_capi.app_secret", "secret-1"),
        ):
            pixel = self.stop()
            save()
            self.assertEqual(pixel.state, "running")

    def test_a_token_is_removed_at_a_click(self):
        with self.settings() as form:
            self.assertTrue(form.meta_capi_access_token_set)
        form.record.action_meta_capi_remove_token()
        self.assertFalse(self.parameters.get_param("meta_capi.access_token"))
        self.assertFalse(form.record.meta_capi_access_token_set)
        other = self.second()
        self.save(other, access_token="own-token")
        self.assertEqual(other.meta_capi_access_token, "own-token")
        with self.settings(other) as form:
            self.assertTrue(form.meta_capi_access_token_own)
        form.record.action_meta_capi_remove_token()
        self.assertFalse(other.meta_capi_access_token)

    def test_the_app_secret_is_kept_and_removed_like_the_token(self):
        self.save(app_secret=" 'a1b2c3d4' ")
        self.assertEqual(self.config._get(setting.APP_SECRET), "a1b2c3d4")
        with self.settings() as form:
            self.assertFalse(form.meta_capi_app_secret)
            self.assertTrue(form.meta_capi_app_secret_set)
        form.record.action_meta_capi_remove_app_secret()
        self.assertFalse(self.config._get(setting.APP_SECRET))
        self.env.cr.execute(
            "SELECT FROM information_schema.columns WHERE table_name ="
            " 'res_config_settings' AND column_name IN"
            " ('meta_capi_app_secret', 'meta_capi_access_token')"
        )
        self.assertFalse(self.env.cr.rowcount)

    def test_a_parameter_that_is_renamed_away_counts_as_removed(self):
        pixel = self.stop()
        parameter = self.parameters.search([("key", "=", "meta_capi.graph_url")])
        parameter.key = "other.graph_url"
        self.assertEqual(pixel.state, "running")
