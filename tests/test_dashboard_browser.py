from odoo import fields
from odoo.tests import tagged

from .common import set_values
from .test_clicks import ClicksCase

# Clicks on the table that stands beside each chart.
OPEN_BY_TABLE = """
await see(".o_meta_capi_answer", /1 event failed: Currency missing or wrong/);
await click("[data-chart=events] summary");
await click("[data-chart=events] td button", "3");
"""
# A mouse on the bar itself.
OPEN_BY_BAR = """
const canvas = await until("the chart", () => shown("[data-chart=events] canvas")[0]);
const chart = await until("its bars", () => window.Chart.getChart(canvas));
canvas.scrollIntoView();
await pause(300);
const { left, top } = canvas.getBoundingClientRect();
const bar = chart.getDatasetMeta(0).data.at(-1);
const { x, y, base } = bar.getProps(["x", "y", "base"]);
const place = { clientX: left + x, clientY: top + (y + base) / 2, bubbles: true };
canvas.dispatchEvent(new MouseEvent("mousemove", place));
canvas.dispatchEvent(new MouseEvent("click", place));
"""
LOG_IS_FILTERED = """
await see(".o_facet_value", /Delivered/);
await until("three rows", () => shown(".o_data_row").length === 3);
return shown(".o_data_row").filter((row) => /Sent/.test(text(row))).length;
"""
CHOOSE = """
await click("[data-days='30']");
await until("30 days", () => shown("[data-days='30'][aria-pressed=true]")[0]);
const select = await until("the websites", () => shown("select[name=website]")[0]);
const option = [...select.options].find((each) => text(each) === "WEBSITE");
select.value = option.value;
select.dispatchEvent(new Event("change", { bubbles: true }));
await until("two", () => /delivered\\s*2/.test(text(shown("[data-figure=sent]")[0])));
await until("the URL", () => /days=30/.test(location.href));
return location.href;
"""
IS_CHOSEN = """
await until("30 days", () => shown("[data-days='30'][aria-pressed=true]")[0]);
await see("[data-figure=sent]", /delivered\\s*2/);
const select = shown("select[name=website]")[0];
return text(select.options[select.selectedIndex]);
"""
GO_AND_COME_BACK = """
await click("[data-figure=sent]");
await until("two rows", () => shown(".o_data_row").length === 2);
await click(".o_breadcrumb a, .breadcrumb a", "Overview");
"""
# The minute is shortened, and the page is looked at or not.
HASTE = """
const wait = window.setInterval;
window.setInterval = (act, time, ...more) =>
    wait(act, time === 60000 ? 200 : time, ...more);
const now = Date.now;
Date.now = () => 1000 * now();
Object.defineProperty(document, "visibilityState", {
    get: () => window.isLookedAt ?? "visible",
});
"""
COUNT_CALLS = """
await see(".o_meta_capi_answer", /./);
await pause(1500);
"""


@tagged("post_install", "-at_install", "browser")
class TestDashboardClicks(ClicksCase):
    def setUp(self):
        super().setUp()
        now = fields.Datetime.now()
        other = self.env["website"].create({"name": "Walnut Outlet"})
        for number in range(3):
            website = self.website if number == 0 else other
            self.record(event_id=f"good-{number}", website=website)
        self.deliver()
        bad = self.record(event_id="bad")
        set_values(bad, state="failed", cause="currency", event_time=now)

    def open_dashboard(self):
        # A change of the part after the # alone loads nothing anew.
        self.browser.leave()
        action = self.env.ref("ih_meta_conversions_api.meta_capi_dashboard_action")
        self.open(f"/web#action={action.id}")

    def test_a_bar_and_its_row_of_the_table_lead_to_the_same_part_of_the_log(self):
        for open_log in (OPEN_BY_TABLE, OPEN_BY_BAR):
            self.open_dashboard()
            self.assertEqual(self.play(open_log + LOG_IS_FILTERED), 3)
        self.assertEqual(self.browser.errors, [])

    def test_what_is_chosen_stays_in_the_url(self):
        self.open_dashboard()
        scene = CHOOSE.replace("WEBSITE", "Walnut Outlet")
        self.assertIn("website=", self.play(scene))
        self.browser.reload()
        self.assertEqual(self.play(IS_CHOSEN), "Walnut Outlet")
        # Nor is it forgotten on the way to the log and back.
        self.assertEqual(self.play(GO_AND_COME_BACK + IS_CHOSEN), "Walnut Outlet")
        self.assertEqual(self.browser.errors, [])

    def test_it_renews_itself_as_long_as_somebody_looks(self):
        script = self.browser.evaluate_first(HASTE)
        self.addCleanup(
            self.browser.send,
            "Page.removeScriptToEvaluateOnNewDocument",
            identifier=script,
        )
        self.open_dashboard()
        self.assertGreater(self.calls(), 1)
        self.play("window.isLookedAt = 'hidden'; await pause(500);")
        self.browser.requests.clear()
        self.assertEqual(self.calls(), 0)
        self.play("delete window.isLookedAt; await click('[data-figure=sent]');")
        self.browser.requests.clear()
        self.play("await pause(1000);")
        self.assertEqual(self.count(), 0)

    def calls(self):
        """Return how often the figures are read within a while."""
        self.play(COUNT_CALLS)
        return self.count()

    def count(self):
        paths = [path for path, _data in self.browser.requests]
        return sum("get_dashboard" in path for path in paths)
