import json
from importlib import import_module
from pathlib import Path

from odoo.tests import HttpCase, new_test_user, tagged

from .browser import BrowserMixin
from .common import MetaCapiCase

CLICKS = (Path(__file__).parent / "clicks.js").read_text()
_NOT_IN_DEBIAN = "static/lib/selfie_segmentation/selfie_segmentation.js"

# A person who has not written a line makes an automation rule and its action.
AUTOMATION = """
await write("name", "Tell Meta of what is sold");
await choose("model_id", "Sales Order");
await choose("trigger", "State is set to");
await choose("trg_selection_field_id", "Sales Order");
await click("button, a", "Add an action");
await click("[name=state] :is(span, button)", "Send Meta Event");
await choose("meta_capi_standard_event", "Purchase");
await read("meta_capi_event_rules", /Required: value, currency/);
await read("meta_capi_condition", /Tell Meta of what is sold.*State is set to: Sales Order/s);
const preview = await read("meta_capi_preview", /"Purchase"/);
await click(".modal-footer .o_form_button_save");
await until("the end of the dialog", () => !document.querySelector(".modal"));
await click(".o_form_button_save");
await until("the saved rule", () => shown(".o_form_saved")[0]);
return preview;
"""

# And one who wants to see each choice before it is saved.
ACTION = """
await write("name", "Tell Meta of orders");
await choose("model_id", "Sales Order");
await click("[name=state] :is(span, button)", "Send Meta Event");
await choose("meta_capi_standard_event", "Custom…");
await write("meta_capi_event_name", "Ordered");
await read("meta_capi_event_rules", /Meta forbids/);
await read("meta_capi_preview", /"Ordered"/);
await choose("meta_capi_preview_ref", "OTHER");
await read("meta_capi_preview_advice", /Tried on OTHER/);
await choose("meta_capi_amount_field_id", "UNTAXED");
await read("meta_capi_preview", /"value": 300/);
const preview = await read("meta_capi_preview", /"order_id": "OTHER"/);
await click(".o_form_button_save");
await until("the saved action", () => shown(".o_form_saved")[0]);
return preview;
"""


class ClicksCase(BrowserMixin, MetaCapiCase, HttpCase):
    """An admin, who acts by clicks alone, in a real browser."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mail = Path(import_module("odoo.addons.mail").__file__).parent
        if (mail / "static/lib").exists() and not (mail / _NOT_IN_DEBIAN).exists():
            cls.env["ir.asset"].create(
                {
                    "name": "What Debian's package of Odoo comes without",
                    "bundle": "web.assets_backend",
                    "directive": "remove",
                    "path": f"mail/{_NOT_IN_DEBIAN}",
                }
            )

    def setUp(self):
        super().setUp()
        self.browser.waits = self.browser.loads_assets = True
        # The first page builds the assets of the whole back office.
        self.browser.timeout = 120
        self.log_in_browser("admin", "admin")

    def open(self, path):
        self.flush()
        self.browser.open(path)

    def play(self, scene):
        """Click through a scene on the page at hand; return what it returns."""
        self.flush()
        shown = self.browser.run(f"{CLICKS}\n{scene}")
        self.env.invalidate_all()
        return shown

    def follow(self, scene):
        """Click through a scene that ends on another page."""
        self.flush()
        self.browser.follow(f"{CLICKS}\n{scene}")
        self.env.invalidate_all()


# What the dialogs of an event's form offer and say.
ATTEMPT = """
await click(".nav-link", "Delivery Attempts");
await click("[name=attempt_ids] .o_data_row .o_data_cell");
await see(".modal-body", /Accepted/);
const buttons = shown(".modal-footer button").map(text);
await click(".modal-footer button", "Close");
await until("the end of the dialog", () => !document.querySelector(".modal"));
return buttons;
"""
CARDS = """
const card = await see(".o_kanban_record:not(.o_kanban_ghost)", /Lead/);
const width = shown(".o_kanban_record")[0].getBoundingClientRect().width;
await click(".o_kanban_record:not(.o_kanban_ghost) span", "Lead");
await see(".o_form_view h1", /Lead/);
return [card, width <= innerWidth];
"""
CANCEL = """
await click(".o_statusbar_buttons button, .o_cp_action_menus button", "Cancel");
return await see(".modal-body", /./);
"""


@tagged("post_install", "-at_install", "browser")
class TestEventFormClicks(ClicksCase):
    def open_event(self, event):
        self.open(f"/web#model=meta.capi.event&id={event.id}&view_type=form")

    def test_a_delivery_attempt_is_shown_to_be_read_and_closed(self):
        event = self.record()
        self.deliver()
        self.open_event(event)
        self.assertEqual(self.play(ATTEMPT), ["Close"])

    def test_on_a_phone_the_log_is_of_cards_that_open_an_event(self):
        self.record()
        self.deliver()
        self.browser.send(
            "Emulation.setDeviceMetricsOverride",
            **{"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        self.addCleanup(self.browser.send, "Emulation.clearDeviceMetricsOverride")
        action = self.env.ref("ih_meta_conversions_api.meta_capi_event_action")
        self.open(f"/web#action={action.id}")
        card, fits = self.play(CARDS)
        self.assertRegex(card, "Lead.*Sent")
        self.assertTrue(fits)

    def test_who_cancels_is_told_that_there_is_no_way_back_and_what_to_do_instead(self):
        event = self.record()
        self.open_event(event)
        question = self.play(CANCEL)
        self.assertRegex(question, "cannot be undone.*leave it pending.*settings")
        self.assertEqual(event.state, "pending")


@tagged("post_install", "-at_install", "browser")
class TestClicks(ClicksCase):
    """Actions that are made by clicks alone."""

    def play_on_new_form(self, action, scene):
        """Open a new form and click; return the preview that was shown."""
        action = self.env.ref(action)
        self.open(f"/web#action={action.id}&model={action.res_model}&view_type=form")
        return json.loads(self.play(scene))

    def test_an_automation_made_by_clicks_sends_what_its_preview_shows(self):
        salesperson = new_test_user(
            self.env, "seller", groups="sales_team.group_sale_salesman_all_leads"
        )
        order = self.order()
        shown = self.play_on_new_form("base_automation.base_automation_act", AUTOMATION)
        order.with_user(salesperson).action_confirm()
        self.deliver()
        event = self.env["meta.capi.event"].search([("res_id", "=", order.id)])
        self.assertEqual((event.state, event.event_name), ("sent", "Purchase"))
        (request,) = self.graph.requests
        (sent,) = request.body["data"]
        self.assertEqual(sent | {"event_time": 0}, shown | {"event_time": 0})

    def test_an_action_made_by_clicks_shows_each_choice_before_it_is_saved(self):
        order = self.order()
        order.order_line.price_unit = 150
        self.order()
        before = self.env["ir.actions.server"].search([])
        untaxed = order._fields["amount_untaxed"]._description_string(self.env)
        scene = ACTION.replace("OTHER", order.name).replace("UNTAXED", untaxed)
        shown = self.play_on_new_form("base.action_server_action", scene)
        action = self.env["ir.actions.server"].search([]) - before
        self.assertEqual(action.meta_capi_event_name, "Ordered")
        self.assertEqual(action.meta_capi_amount_field, "amount_untaxed")
        action.with_context(
            active_model="sale.order", active_id=order.id, active_ids=order.ids
        ).run()
        self.deliver()
        (request,) = self.graph.requests
        (sent,) = request.body["data"]
        own = {"event_time": 0, "event_id": "each its own"}
        self.assertEqual(sent | own, shown | own)
