import json
from datetime import timedelta

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..dev.sandbox import new_token
from ..models.quality.meta_capi_quality_alert import FALL
from ..models.settings import setting
from .test_clicks import ClicksCase

TEST_CODE = "TEST12345"

OPEN_SETTINGS = """
await openApp("Settings");
await click(".settings_tab .tab", "Website");
"""
OPEN_OVERVIEW = f"""{OPEN_SETTINGS}
await click("button", "Overview");
"""

SET_UP = f"""{OPEN_SETTINGS}
await click("[name=meta_capi_enabled] input");
await write("meta_capi_pixel_id", PIXEL);
await write("meta_capi_access_token", TOKEN);
await write("meta_capi_test_event_code", CODE);
"""
# Odoo 17 has gone back to the general settings.
TEST_CONNECTION = """
await click(".settings_tab .tab", "Website");
await see("span", /A token is set. It is never shown/);
await read("meta_capi_health", /No event accepted yet/);
await click("button", "Test connection");
return await see(".o_notification", /Meta/);
"""
SEND_TEST_EVENT = """
await click("button", "Send test event");
const answer = await see(".o_notification", /Events accepted by Meta: 1/);
await read("meta_capi_health", /Last event accepted/);
const button = shown("[name=action_meta_capi_send_test_event]")[0];
const { top, bottom } = button.getBoundingClientRect();
if (top > innerHeight || bottom < 0) {
    throw new Error("The settings have gone out of sight");
}
return answer;
"""
# All that is on the page, whether it is seen or not.
PAGE = """
const inputs = [...document.querySelectorAll("input, textarea")];
return document.documentElement.outerHTML + inputs.map((input) => input.value).join();
"""

READ_NOTICE = """
await click(".o_menu_systray .fa-clock-o");
await click(".o-mail-ActivityGroup[data-model_name='meta.capi.pixel']");
await click(".o_data_row .o_data_cell");
await see(".alert-danger", /Access token not valid/);
await see(".alert-danger", /generate a new token.*paste it.*What waits is then sent/s);
await click(".alert-danger button", "Open the settings");
await read("meta_capi_health", /Stopped.*3 events.*Access token not valid/s);
await write("meta_capi_access_token", TOKEN);
"""
NOTICE_IS_GONE = f"""
await click(".o_menu_systray .fa-clock-o");
await until("the activities", () => shown(".o-mail-ActivityMenu")[0]);
if (shown(".o-mail-ActivityGroup[data-model_name='meta.capi.pixel']").length) {{
    throw new Error("The activity is still there");
}}
{OPEN_OVERVIEW}
await see("[data-figure=sent]", /Events delivered\\s*4/);
await see("[data-figure=pending]", /Events pending\\s*0/);
if (shown("[data-section=held]").length) {{
    throw new Error("The overview still tells of a pixel on hold");
}}
"""

FIND_FAILURE = f"""{OPEN_OVERVIEW}
await see("[data-figure=failed]", /Events failed\\s*1/);
await click("[data-section=failures] button", "1");
await click(".o_data_row .o_data_cell", "Purchase");
await see(".alert-danger", /Invalid.*Insufficient customer information/s);
await see(".alert-danger", /Fill in the customer's e-mail address.*press Retry/s);
"""
CURE_AND_RETRY = """
await click("[name=partner_id] a");
await write("email", "jane@example.com");
await click(".o_form_button_save");
await until("the saved customer", () => shown(".o_form_saved")[0]);
await click(".o_back_button a");
await click("button", "Retry");
await see(".o_notification", /Events pending again: 1/);
await see("button", /Send Now/);
await until("the end of the notice", () => !shown(".alert-danger, .alert-warning")[0]);
"""
FIND_SENT = f"""{OPEN_SETTINGS}
await click("button", "Event Log");
await see(".o_data_row", /Purchase.*Sent/s);
"""

# The list of what is to be done first, and the way that its button leads.
STEPS = """
await see("[data-section=steps]", /./);
return shown("[data-section=steps] li").map((step) => step.dataset.done).join("");
"""
NEXT_STEP = """
await click("[data-section=steps] button", "Open the settings");
await click(".settings_tab .tab", "Website");
"""
FIRST_STEP = f"""{NEXT_STEP}
await click("[name=meta_capi_enabled] input");
await write("meta_capi_pixel_id", PIXEL);
await write("meta_capi_access_token", TOKEN);
await write("meta_capi_test_event_code", CODE);
"""
SECOND_STEP = f"""{NEXT_STEP}
await click("button", "Send test event");
await see(".o_notification", /Events accepted by Meta: 1/);
"""
NEXT_STEPS = f"""{NEXT_STEP}
await click("[name=website_cookies_bar] input");
await choose("meta_capi_purchase_trigger", "The order is confirmed");
await write("meta_capi_test_event_code", "");
"""
NOTHING_TO_DO = """
await see(".o_meta_capi_answer", /Everything is delivered/);
await see("[data-figure=purchases]", /100%/);
return shown("[data-section=steps]").length;
"""


# From the notice of a fall to what would help, and on to where that is switched off.
FIND_FALL = """
await click(".o_menu_systray .fa-clock-o");
await click(".o-mail-ActivityGroup[data-model_name='meta.capi.pixel']");
await click(".o_data_row .o_data_cell");
const told = await see(".o-mail-Activity", /Event match quality of Purchase fell from/);
await click("button", "What would help Meta");
await see("[data-section=advice]", /Purchase: with E-mail address.*switched off in the settings/s);
await click("[data-section=advice] button", "Open the settings");
await click("summary", "Customer data that is sent");
await click("[name=meta_capi_send_email] input");
return told;
"""
FALL_IS_OVER = f"""{OPEN_OVERVIEW}
await see("[data-section=charts], .o_meta_capi_answer", /./);
if (shown("[data-section=advice]").some((part) => /E-mail address/.test(part.textContent))) {{
    throw new Error("The overview still asks for what is sent");
}}
await click(".o_menu_systray .fa-clock-o");
await until("the activities", () => shown(".o-mail-ActivityMenu")[0]);
return shown(".o-mail-ActivityGroup[data-model_name='meta.capi.pixel']").length;
"""


@tagged("post_install", "-at_install", "browser")
class TestTours(ClicksCase):
    """What an admin does, from the first page to the last.

    Between the clicks the world goes on: customers buy, the worker works, Meta changes
    its mind.
    """

    def setUp(self):
        super().setUp()
        automation = self.env.ref("ih_meta_conversions_api.automation_purchase")
        automation.active = True

    def play(self, scene, **values):
        """Play a scene with these values in the place of their names."""
        for name, value in values.items():
            scene = scene.replace(name, json.dumps(value))
        return super().play(scene)

    def save_settings(self):
        """Save; Odoo then loads the whole page anew."""
        self.follow("await click('.o_form_button_save');")

    def sell(self, **values):
        self.order(**values).action_confirm()

    def work(self):
        """Let the worker do the jobs that are enqueued, and none that is not."""
        jobs, self.jobs.enqueued_jobs = self.jobs.enqueued_jobs, []
        # The trap stores those that have the identity of one it holds already.
        keys = self.job._job_keys(self.pixel_id)
        self.env["queue.job"].search([("identity_key", "in", keys)]).unlink()
        for job in jobs:
            self.deliver(*job.args)

    def purchases(self):
        return self.env["meta.capi.event"].search([("event_name", "=", "Purchase")])

    def test_a_new_admin_comes_from_nothing_to_a_test_event(self):
        for name in ("enabled", "pixel_id", "access_token"):
            self.parameters.set_param(f"meta_capi.{name}", False)
        self.open("/web")
        self.play(SET_UP, PIXEL=self.pixel_id, TOKEN=self.token, CODE=TEST_CODE)
        self.save_settings()
        self.assertIn("(#100) Missing Permission", self.play(TEST_CONNECTION))
        self.assertIn("events_received: 1", self.play(SEND_TEST_EVENT))
        (received,) = self.graph.events
        self.assertEqual(received.pixel_id, self.pixel_id)
        self.assertEqual(received.test_event_code, TEST_CODE)
        self.assertEqual(received.event["event_name"], "TestEvent")
        page = self.play(PAGE)
        self.assertTrue(TEST_CODE in page)
        self.assertFalse(self.token in page, "The token is on the page")

    def open_overview(self):
        # A change of the part after the # alone loads nothing anew.
        self.browser.leave()
        action = self.env.ref("ih_meta_conversions_api.meta_capi_dashboard_action")
        self.open(f"/web#action={action.id}")

    def test_the_list_of_steps_leads_from_nothing_to_the_first_purchase(self):
        for name in ("enabled", "pixel_id", "access_token"):
            self.parameters.set_param(f"meta_capi.{name}", False)
        self.env["meta.capi.purchase"]._automations("confirmed").active = False
        self.website.cookies_bar = False
        self.open_overview()
        self.assertEqual(self.play(STEPS), "00000")
        self.play(FIRST_STEP, PIXEL=self.pixel_id, TOKEN=self.token, CODE=TEST_CODE)
        self.save_settings()
        self.open_overview()
        self.assertEqual(self.play(STEPS), "10000")
        self.play(SECOND_STEP)
        self.open_overview()
        self.assertEqual(self.play(STEPS), "11000")
        self.play(NEXT_STEPS)
        self.save_settings()
        self.open_overview()
        self.assertEqual(self.play(STEPS), "11110")
        self.sell()
        self.work()
        self.assertEqual(self.graph.events[-1].event["event_name"], "Purchase")
        self.open_overview()
        self.assertEqual(self.play(NOTHING_TO_DO), 0)

    @mute_logger("meta.conversions.api")
    def test_a_dead_token_is_replaced_and_all_that_waited_is_sent_once(self):
        self.sell()
        self.work()
        self.graph.pixels[self.pixel_id] = set()
        for _customer in range(3):
            self.sell()
        self.work()
        self.assertEqual(self.purchases().mapped("state"), [*["pending"] * 3, "sent"])
        self.open("/web")
        token = new_token()
        self.graph.pixels[self.pixel_id] = {token}
        self.play(READ_NOTICE, TOKEN=token)
        self.save_settings()
        self.work()
        purchases = self.purchases()
        self.assertEqual(purchases.mapped("state"), ["sent"] * 4)
        self.assertEqual(
            self.graph.deliveries(),
            {(self.pixel_id, "Purchase", event.event_id): 1 for event in purchases},
        )
        self.open("/web")
        self.play(NOTICE_IS_GONE)
        self.assertFalse(self.env["meta.capi.pixel"].search([]).activity_ids)

    def test_a_failed_purchase_is_found_and_understood_and_cured_and_sent(self):
        self.parameters.set_param("meta_capi.user_data_keys", "em,ph,ct,zp,country")
        customer = self.env["res.partner"].create({"name": "Jane", "city": "Berlin"})
        self.sell(partner_id=customer.id)
        self.work()
        self.open("/web")
        self.play(FIND_FAILURE)
        self.play(CURE_AND_RETRY)
        self.assertFalse(self.graph.requests)
        self.work()
        (received,) = self.graph.events
        self.assertEqual(received.event["event_id"], self.purchases().event_id)
        self.assertIn("em", received.event["user_data"])
        self.play(FIND_SENT)

    def pass_a_day(self):
        """Let a day pass on which a customer buys, and Meta is asked what it thinks."""
        for row in self.env["meta.capi.quality"].search([], order="date"):
            row.date -= timedelta(days=1)
            row.flush_recordset()
        self.graph.clear()
        self.sell()
        self.work()
        self.env["meta.capi.quality.fetch"]._ask(self.pixel_id)
        self.env.invalidate_all()

    def test_a_fall_of_the_match_quality_is_understood_and_cured_and_closes_itself(
        self,
    ):
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        # Meta also finds that no browser made these orders, which is another notice.
        self.parameters.set_param(setting.ALERT_DIAGNOSTICS.key, "False")
        self.pass_a_day()
        self.assertFalse(pixel.activity_ids)
        # Somebody thinks that Meta needs no e-mail addresses.
        keys = ",".join(key for key in setting.USER_DATA_KEYS.choices if key != "em")
        self.parameters.set_param(setting.USER_DATA_KEYS.key, keys)
        self.pass_a_day()
        self.assertEqual(pixel.activity_ids.activity_type_id, self.env.ref(FALL))
        self.open("/web")
        high, low = self.env["meta.capi.quality"].search(
            [("event_name", "=", "Purchase")], order="date"
        )
        self.assertIn(
            f"from {high.event_match_quality} to {low.event_match_quality}",
            self.play(FIND_FALL),
        )
        self.save_settings()
        self.pass_a_day()
        self.assertIn("em", self.graph.events[-1].event["user_data"])
        self.assertFalse(pixel.activity_ids)
        self.open("/web")
        self.assertEqual(self.play(FALL_IS_OVER), 0)
