import json
from unittest.mock import patch

from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged

from ..capi.const import ACTION_SOURCES, MESSAGING_CHANNELS
from ..models.admin.event_words import EventWords
from ..models.common.standard_events import EVENTS, STANDARD_EVENTS
from .common import FBP, MetaCapiCase

FORM = "base.view_server_action_form"


class ActionFormCase(MetaCapiCase):
    def form(self, model="sale.order", event="Purchase", action=None):
        """Open the form of an action; one that is new is not saved."""
        if action:
            return Form(action, FORM)
        form = Form(self.env["ir.actions.server"], FORM)
        form.name = "Tell Meta"
        form.model_id = self.env["ir.model"]._get(model)
        form.state = "meta_capi"
        if event in EVENTS:
            form.meta_capi_standard_event = event
        elif event:
            form.meta_capi_standard_event = "custom"
            form.meta_capi_event_name = event
        return form

    def field(self, name, model="sale.order"):
        return self.env["ir.model.fields"]._get(model, name)

    def preview(self, form):
        return json.loads(form.meta_capi_preview)


@tagged("post_install", "-at_install")
class TestActionEvent(ActionFormCase):
    """The event's name, and in words what Meta wants of it."""

    def test_the_facts_cover_the_names_that_meta_knows(self):
        self.assertEqual(tuple(EVENTS), STANDARD_EVENTS)
        meanings = EventWords(self.env)._meanings()
        self.assertEqual(set(meanings), set(EVENTS))
        for name in EVENTS:
            action = self.action(event_name=name)
            self.assertTrue(action.meta_capi_event_rules.startswith(meanings[name]))

    def test_a_standard_event_is_chosen_from_a_list(self):
        form = self.form(event="Lead")
        self.assertEqual(form.meta_capi_event_name, "Lead")
        action = form.save()
        self.assertEqual(action.meta_capi_event_name, "Lead")
        self.assertEqual(action.meta_capi_standard_event, "Lead")
        action.meta_capi_standard_event = "Contact"
        self.assertEqual(action.meta_capi_event_name, "Contact")

    def test_an_action_made_by_hand_tells_each_record_once_unless_it_is_said_otherwise(
        self,
    ):
        self.assertTrue(self.form(event="Lead").save().meta_capi_once)
        form = self.form(event="Lead")
        form.meta_capi_once = False
        self.assertFalse(form.save().meta_capi_once)
        action = self.action(event_name="Lead")
        with self.form(action=action) as form:
            form.name = "Another name"
        self.assertFalse(action.meta_capi_once)

    def test_a_custom_event_is_typed(self):
        action = self.form(event="Refund").save()
        self.assertEqual(action.meta_capi_event_name, "Refund")
        self.assertEqual(action.meta_capi_standard_event, "custom")
        self.assertIn("A custom event", action.meta_capi_event_rules)
        self.assertIn("Meta forbids", action.meta_capi_event_rules)

    def test_custom_leaves_the_name_to_be_changed(self):
        with self.form(action=self.action(event_name="Purchase")) as form:
            form.meta_capi_standard_event = "custom"
            self.assertEqual(form.meta_capi_event_name, "Purchase")
            form.meta_capi_event_name = "Repurchase"
        self.assertEqual(form.record.meta_capi_event_name, "Repurchase")

    def test_the_rules_say_what_meta_requires(self):
        form = self.form(event="Purchase")
        self.assertIn("Required: value, currency.", form.meta_capi_event_rules)
        self.assertIn("(contents)", form.meta_capi_event_rules)
        form.meta_capi_standard_event = "Contact"
        self.assertIn("nothing but the person", form.meta_capi_event_rules)

    def test_a_name_that_is_almost_a_standard_one_is_told_apart(self):
        for name in ("purchase", "add to cart", "Complete_Registration"):
            rules = self.action(event_name=name).meta_capi_event_rules
            self.assertIn("this is not it", rules)
        self.assertNotIn("not it", self.action(event_name="X").meta_capi_event_rules)

    def test_the_help_warns_of_what_a_name_must_not_tell(self):
        field = self.env["ir.actions.server"]._fields["meta_capi_event_name"]
        for matter in ("health", "finances", "religion"):
            self.assertIn(matter, field.help)

    def test_an_action_of_another_type_shows_nothing(self):
        action = self.action(state="code")
        self.assertFalse(action.meta_capi_preview)
        self.assertFalse(action.meta_capi_condition)
        self.assertFalse(action.meta_capi_preview_trouble)


@tagged("post_install", "-at_install")
class TestActionCondition(ActionFormCase):
    """When the event is sent, in words."""

    def label(self, name):
        field = self.env["sale.order"]._fields[name]
        return field.get_description(self.env, ["string"])["string"]

    def test_an_automation_is_told_with_its_fields_and_values(self):
        action = self.automate(event_name="Purchase")
        automation = action.base_automation_id
        automation.name = "Sold"
        trigger = dict(automation._fields["trigger"]._description_selection(self.env))
        self.assertEqual(
            action.meta_capi_condition.splitlines(),
            [
                "By the automation rule Sold:",
                f"When: {trigger['on_create_or_write']}",
                f"Watched: {self.label('state')}",
            ],
        )
        self.assertEqual(action.meta_capi_pre_domain, automation.filter_pre_domain)
        self.assertEqual(action.meta_capi_domain, automation.filter_domain)
        automation.active = False
        self.assertIn("the automation rule Sold is off", action.meta_capi_condition)

    def test_the_shipped_automations_are_told(self):
        for name in (
            *("", "_paid_online", "_paid_invoice", "_invoiced"),
            "_delivered",
        ):
            xml_id = f"ih_meta_conversions_api.action_purchase{name}"
            text = self.env.ref(xml_id).meta_capi_condition
            self.assertIn("is off", text)
            self.assertEqual("paid in full" in text, "paid" in name)
            self.assertEqual("whole order" in text, "delivered" in name)

    def test_a_state_that_is_waited_for_is_told_by_its_label(self):
        text = self.env.ref(
            "ih_meta_conversions_api.action_purchase"
        ).meta_capi_condition
        sale = self.env.ref("sale.selection__sale_order__state__sale").name
        self.assertIn(f": {sale}\n", text)

    def test_a_date_that_is_waited_for_is_told(self):
        action = self.automate(event_name="Lead")
        action.base_automation_id.write(
            {
                "trigger": "on_time",
                "trg_date_id": self.field("date_order").id,
                "trg_date_range": 3,
                "trg_date_range_type": "day",
            }
        )
        text = action.meta_capi_condition
        self.assertIn(f"3 Days after {self.label('date_order')}", text)

    def test_without_an_automation_it_is_sent_when_it_is_run(self):
        action = self.action(event_name="Lead")
        self.assertIn("When it is run on records", action.meta_capi_condition)
        action.create_action()
        self.assertIn("Actions menu", action.meta_capi_condition)

    def test_a_scheduled_action_says_that_it_never_sends(self):
        cron = self.env["ir.cron"].create(
            {
                "name": "Daily",
                "model_id": self.env["ir.model"]._get_id("sale.order"),
                "state": "meta_capi",
                "meta_capi_event_name": "Lead",
            }
        )
        action = cron.ir_actions_server_id
        self.assertIn("Never: a scheduled action", action.meta_capi_condition)


@tagged("post_install", "-at_install")
class TestActionPreview(ActionFormCase):
    """What the form shows before anything is saved, and what is sent after."""

    def assertSentAsShown(self, form, run):
        """Run the saved action and compare what Meta gets with what the form shows."""
        shown = self.preview(form)
        run(form.save())
        self.deliver()
        (request,) = self.graph.requests
        (sent,) = request.body["data"]
        self.assertEqual(sent | {"event_time": 0}, shown | {"event_time": 0})

    def run_on(self, records):
        return lambda action: action.with_context(
            active_model=records._name, active_ids=records.ids, active_id=records[:1].id
        ).run()

    def test_a_new_action_shows_the_newest_record_and_is_sent_like_that(self):
        self.order()
        order = self.order()
        form = self.form()
        self.assertIn(order.name, form.meta_capi_preview_advice)
        self.assertEqual(self.preview(form)["event_id"], order.meta_capi_event_id)
        self.assertFalse(form.meta_capi_preview_trouble)
        self.assertSentAsShown(form, self.run_on(order))

    def test_another_record_can_be_chosen(self):
        order = self.order()
        self.order()
        form = self.form()
        form.meta_capi_preview_ref = f"sale.order,{order.id}"
        self.assertIn(order.name, form.meta_capi_preview_advice)
        self.assertSentAsShown(form, self.run_on(order))

    def test_it_follows_what_is_typed(self):
        self.order()
        form = self.form(event="Lead")
        self.assertEqual(self.preview(form)["event_name"], "Lead")
        self.assertEqual(self.preview(form)["custom_data"]["value"], 200)
        form.meta_capi_amount_field_id = self.field("amount_tax")
        self.assertEqual(self.preview(form)["custom_data"]["value"], 0)
        form.meta_capi_standard_event = "custom"
        form.meta_capi_event_name = "Ordered"
        self.assertEqual(self.preview(form)["event_name"], "Ordered")

    def test_it_tells_where_it_happened(self):
        self.env["meta.capi.browser"]._upsert(
            self.order(),
            {"consent": True, "fbp": FBP, "event_source_url": "https://shop.example/a"},
        )
        form = self.form(event="Lead")
        self.assertEqual(self.preview(form)["action_source"], "website")
        form.meta_capi_action_source = "phone_call"
        self.assertEqual(self.preview(form)["action_source"], "phone_call")
        order = self.env["sale.order"].search([], limit=1)
        self.assertSentAsShown(form, self.run_on(order))

    def test_what_no_page_is_for_tells_of_none(self):
        order = self.order()
        self.env["meta.capi.browser"]._upsert(
            order,
            {"consent": True, "fbp": FBP, "event_source_url": "https://shop.example/a"},
        )
        form = self.form(event="Lead")
        self.assertEqual(
            self.preview(form)["event_source_url"], "https://shop.example/a"
        )
        form.meta_capi_action_source = "system_generated"
        shown = self.preview(form)
        self.assertNotIn("event_source_url", shown)
        self.assertEqual(shown["user_data"]["fbp"], FBP)
        self.assertSentAsShown(form, self.run_on(order))

    def test_a_messenger_is_asked_for_where_meta_wants_one(self):
        order = self.order()
        form = self.form(event="LeadSubmitted")
        form.meta_capi_action_source = "business_messaging"
        self.assertIn("messaging_channel", form.meta_capi_preview_advice)
        with self.assertRaises(AssertionError):
            form.save()
        form.meta_capi_messaging_channel = "whatsapp"
        self.assertEqual(self.preview(form)["messaging_channel"], "whatsapp")
        self.assertSentAsShown(form, self.run_on(order))

    def test_a_messenger_that_no_more_counts_is_not_told(self):
        self.order()
        form = self.form(event="Lead")
        form.meta_capi_action_source = "business_messaging"
        form.meta_capi_messaging_channel = "whatsapp"
        form.meta_capi_action_source = "chat"
        self.assertNotIn("messaging_channel", self.preview(form))

    def test_where_it_happened_is_checked_also_without_the_form(self):
        with self.assertRaisesRegex(ValidationError, "messenger"):
            self.action(event_name="Lead", meta_capi_action_source="business_messaging")
        with self.assertRaises(ValueError):
            self.action(event_name="Lead", meta_capi_action_source="telepathy")

    def test_it_offers_the_sources_that_meta_knows_but_an_app(self):
        sources = self.env["ir.actions.server"]._fields["meta_capi_action_source"]
        self.assertEqual({*sources.get_values(self.env), "app"}, ACTION_SOURCES)
        channels = self.env["ir.actions.server"]._fields["meta_capi_messaging_channel"]
        self.assertEqual(set(channels.get_values(self.env)), MESSAGING_CHANNELS)

    def test_it_stores_and_schedules_nothing(self):
        self.order()
        before = self.env["meta.capi.event"].search_count([])
        form = self.form()
        self.assertTrue(form.meta_capi_preview)
        self.assertEqual(self.env["meta.capi.event"].search_count([]), before)
        self.jobs.assert_jobs_count(0)
        self.assertFalse(self.graph.requests)
        self.assertFalse(
            self.env["sale.order"].search([], limit=1).meta_capi_purchase_recorded_at
        )

    def test_it_works_while_the_addon_is_off_or_has_no_pixel(self):
        self.order()
        self.parameters.set_param("meta_capi.enabled", "False")
        form = self.form()
        self.assertEqual(self.preview(form)["event_name"], "Purchase")
        self.assertIn("is off", form.meta_capi_preview_trouble)
        self.parameters.set_param("meta_capi.pixel_id", False)
        with self.assertNoLogs("meta.conversions.api"):
            form = self.form()
        self.assertEqual(self.preview(form)["event_name"], "Purchase")
        self.assertIn("no Meta pixel", form.meta_capi_preview_trouble)

    def test_it_says_what_meta_would_refuse(self):
        form = self.form("res.country", "Purchase")
        self.assertIn("refused", form.meta_capi_preview_trouble)
        self.assertIn("custom_data.value: is missing", form.meta_capi_preview_trouble)
        self.assertIn("user_data", form.meta_capi_preview_trouble)

    def test_it_says_why_the_event_would_be_cancelled(self):
        self.order()
        self.customer.meta_capi_opt_out = True
        form = self.form()
        self.assertIn("cancelled: The customer objects", form.meta_capi_preview_trouble)
        self.assertEqual(self.preview(form)["user_data"], {})

    def test_it_says_what_is_not_known_of_the_customer(self):
        self.customer.phone = False
        self.parameters.set_param("meta_capi.user_data_keys", "em,ph,country")
        self.order()
        advice = self.form().meta_capi_preview_advice
        self.assertRegex(advice, r"Not known of the customer: Phone number\.")
        self.assertRegex(advice, r"Withheld by the settings: .*Last name.*Postcode")
        self.assertIn("client_user_agent: is missing", advice)

    def test_it_says_that_the_order_is_on_record_already(self):
        order = self.order()
        self.record(event_name="Purchase", origin=order)
        self.assertIn("Recorded already", self.form().meta_capi_preview_advice)
        self.env["meta.capi.event"].search([]).unlink()
        self.assertIn("Recorded already", self.form().meta_capi_preview_advice)

    def test_it_says_what_is_not_paid(self):
        self.order()
        form = self.form()
        form.meta_capi_paid_only = True
        self.assertFalse(form.meta_capi_preview)
        self.assertIn("not paid in full", form.meta_capi_preview_trouble)

    def test_a_record_of_another_company_is_not_shown(self):
        order = self.order()
        company = self.env["res.company"].create({"name": "Other"})
        hidden = self.order(company_id=company.id, website_id=False)
        self.env.user.company_ids |= company
        action = self.action(event_name="Purchase")
        user = self.env.ref("base.user_admin")
        action = action.with_user(user).with_context(
            allowed_company_ids=user.company_id.ids
        )
        for chosen in (hidden, order):
            action = action.new(
                {
                    "model_id": action.model_id.id,
                    "state": "meta_capi",
                    "meta_capi_event_name": "Purchase",
                    "meta_capi_preview_ref": f"sale.order,{chosen.id}",
                }
            )
            self.assertIn(f"Tried on {order.name}", action.meta_capi_preview_advice)

    def test_a_model_without_records_says_so(self):
        self.env["ir.logging"].search([]).unlink()
        form = self.form("ir.logging", "Lead")
        self.assertIn("no record yet", form.meta_capi_preview_trouble)
        self.assertFalse(form.meta_capi_preview)

    def test_code_that_breaks_is_told_and_does_not_break_the_form(self):
        order = self.order()
        broken = patch.object(type(order), "_meta_capi_user_data", side_effect=KeyError)
        with broken, self.assertLogs("meta.conversions.api", "ERROR"):
            form = self.form()
        self.assertIn("origin: cannot be read", form.meta_capi_preview_trouble)
