from odoo.tests import tagged

from ..models.admin.res_config_settings import _USER_DATA_FIELDS
from .common import MetaCapiCase, stop_pixel
from .test_clicks import ClicksCase
from .test_tours import OPEN_SETTINGS

BOX = "meta_capi_setting"
MODULE = "ih_meta_conversions_api"

# How far below the top of the page that can be seen the setting begins, and whether the
# first thing to fill in can be seen.
PLACE = """
const id = await until("the setting", () => shown("[name=meta_capi_pixel_id] input")[0]);
await pause(500);
const page = id.closest(".settings, .o_content, .o_form_renderer").getBoundingClientRect();
const { top } = id.closest(".o_setting_box").getBoundingClientRect();
const { bottom } = id.getBoundingClientRect();
return [Math.round(top - page.top), bottom < innerHeight];
"""
FOLD = f"""{OPEN_SETTINGS}
const find = () => document.querySelector("details[name=meta_capi_customer_data]");
const details = await until("the folded part", find);
const email = "[name=meta_capi_send_email] input";
const seen = [details.open, shown(email).filter((box) => box.checkVisibility()).length];
await click("summary", "Customer data that is sent");
seen.push(details.open);
await click(email);
return seen;
"""
SEARCH = f"""{OPEN_SETTINGS}
await until("the setting", () => shown("[name=meta_capi_pixel_id] input")[0]);
const open = () =>
    [...document.querySelectorAll("details[open]")].map((part) => part.getAttribute("name"));
const search = async (words) => {{
    enter(document.querySelector("input.o_searchview_input"), words);
    await pause(500);
    return [shown("[name=meta_capi_pixel_id]").length, open()];
}};
await click("summary", "Advanced");
const found = [];
for (const words of WORDS) {{
    found.push(await search(words));
}}
return found;
"""


@tagged("post_install", "-at_install")
class TestSettingsBox(MetaCapiCase):
    def setUp(self):
        super().setUp()
        # Not get_view: who is not in debug mode is not shown the CDN.
        view = self.env.ref("base.res_config_settings_view_form")
        self.page = view._get_combined_arch()
        (self.box,) = self.page.xpath(f"//setting[@id='{BOX}']")

    def test_it_is_one_setting_right_after_the_cdn(self):
        (cdn,) = self.page.xpath("//setting[@id='cdn_setting']")
        self.assertEqual(cdn.getnext(), self.box)
        ours = self.page.xpath("//setting[.//field[starts-with(@name, 'meta_capi_')]]")
        self.assertEqual(ours, [self.box])

    def test_all_that_can_be_set_is_in_it_and_has_a_label(self):
        fields = self.env["res.config.settings"]._fields
        can_be_set = {
            name
            for name, field in fields.items()
            if name.startswith("meta_capi_") and not field.readonly
        }
        self.assertGreater(len(can_be_set), 30)
        shown = {node.get("name") for node in self.box.iter("field")}
        self.assertLessEqual(can_be_set, shown)
        labels = {node.get("for") for node in self.box.iter("label")}
        self.assertEqual(can_be_set - labels, {"meta_capi_enabled"})

    def test_what_is_seldom_changed_is_folded_away(self):
        folded = {
            node.get("name")
            for part in self.box.xpath(".//details[not(@open)]")
            for node in part.iter("field")
        }
        self.assertLessEqual(_USER_DATA_FIELDS.keys(), folded)
        for name in ("pixel_id", "access_token", "purchase_trigger", "consent_source"):
            self.assertNotIn(f"meta_capi_{name}", folded)


@tagged("post_install", "-at_install", "browser")
class TestSettingsBoxClicks(ClicksCase):
    def place(self):
        below_top, is_seen = self.play(PLACE)
        return below_top if is_seen else None

    def test_a_click_unfolds_what_is_sent_of_a_customer(self):
        self.open("/web")
        self.assertEqual(self.play(FOLD), [False, 0, True])

    def test_the_search_finds_what_is_folded_away_and_shows_it(self):
        self.open("/web")
        words = (
            '["PHONE NUM", "in test mode", "Test Event Code", "no such setting", ""]'
        )
        self.assertEqual(
            self.play(SEARCH.replace("WORDS", words)),
            [
                [1, ["meta_capi_customer_data", "meta_capi_advanced"]],
                [1, ["meta_capi_never_sent", "meta_capi_advanced"]],
                [1, ["meta_capi_advanced"]],
                [0, []],
                [1, []],
            ],
        )

    def test_the_buttons_that_open_the_settings_land_at_ours(self):
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        stop_pixel(pixel)
        dashboard = self.env.ref(f"{MODULE}.meta_capi_dashboard_action")
        for page, button in (
            (f"model=meta.capi.pixel&id={pixel.id}&view_type=form", ".alert-danger"),
            (f"action={dashboard.id}", ".o_meta_capi_answer"),
        ):
            with self.subTest(page=page):
                self.browser.leave()
                self.open(f"/web#{page}")
                self.play(f"await click('{button} button', 'Open the settings');")
                self.assertIn(self.place(), range(-2, 60))

    def test_from_the_menu_the_page_begins_at_its_top(self):
        self.open("/web")
        self.play(OPEN_SETTINGS)
        self.assertIsNone(self.place())
