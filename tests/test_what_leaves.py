import re
from contextlib import contextmanager
from pathlib import Path

from odoo.tests import new_test_user, tagged

from .test_visitor_browser import VisitorCase

MANUAL = Path(__file__).parent.parent / "docs/what-leaves-your-shop.md"
COOKIES = ("_fbc", "_fbp", "meta_capi_consent")
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
IN_APP = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Mobile/21F79 Instagram 330.0.0.0.0 (iPhone14,3; iOS 17_5;"
    " en_US; en; scale=3.00; 1284x2778; 612345678)"
)


def read_table():
    """Return the rows of the manual's table: three cells by situation."""
    lines = MANUAL.read_text().split("\n\n")[2].splitlines()
    rows = [re.findall(r" (.*?) \|", line) for line in lines[2:]]
    return {row[0]: tuple(row[1:]) for row in rows}


@tagged("post_install", "-at_install", "browser")
class TestWhatLeaves(VisitorCase):
    """Each cell of the manual's table is what is found with a real browser."""

    def setUp(self):
        super().setUp()
        self.set_mode("load")
        self.partner = self.buyer()
        groups = "base.group_user"
        new_test_user(self.env, "employee", groups=groups, password="test-password")

    def visit(self):
        """Come by an ad, look at a product and put it into the cart."""
        self.open(f"{self.product.website_url}?fbclid=AbC")
        self.add_to_cart()
        self.browser.go_on()

    def found(self):
        """Return what there is, in the words of the manual."""
        self.browser.go_on()
        cookies = self.browser.cookies()
        cookies = [f"`{name}`" for name in COOKIES if cookies.get(name)]
        self.env.invalidate_all()
        kept = []
        events = self.events()
        if events.filtered("user_data"):
            kept.append("events")
        elif events:
            self.assertEqual(set(events.mapped("state")), {"cancelled"})
            kept.append("events, cancelled and empty")
        self.env.cr.execute("SELECT consent, fbp FROM meta_capi_browser")
        for consent, fbp in self.env.cr.fetchall():
            self.assertEqual(consent, bool(fbp))
            words = "the browser" if consent else "no consent"
            kept.append(f"{words}, with the cart")
        self.deliver()
        ends = bool(self.graph.events), bool(self.names(self.pixel()))
        sent = {
            (True, True): "by both ends",
            (True, False): "by the server",
            (False, False): "nothing",
        }[ends]
        return ", ".join(cookies) or "nothing", "; ".join(kept) or "nothing", sent

    def ask(self, source="odoo"):
        self.parameters.set_param("meta_capi.consent_source", source)
        if source == "odoo":
            self.ask_for_consent()

    def refuse(self):
        self.browser.pixel.clear()
        self.run_js(
            "document.cookie = 'website_cookies_bar={\"optional\": false};path=/'"
        )
        self.open("/shop/cart")

    @contextmanager
    def agent(self, text):
        own = self.browser.agent
        self.browser.pretend(text)
        try:
            yield
        finally:
            self.browser.pretend(own)

    # ------------------------------------------------------------------ the situations

    def nobody_asks(self):
        self.visit()

    def asked_no_answer_yet(self):
        self.ask()
        self.visit()

    def refused(self):
        self.ask()
        self.browser.set_cookie("website_cookies_bar", '{"optional": false}')
        self.visit()

    def given_late(self):
        self.ask()
        self.visit()
        self.agree()

    def withdrawn(self):
        self.visit()
        self.ask()
        self.refuse()
        self.run_js("fbq('track', 'Lead')")

    def another_tool_asks_no_answer_yet(self):
        self.ask("external")
        self.visit()

    def another_tool_yes(self):
        self.ask("external")
        self.open("/")
        self.run_js("metaCapi.consent(true)")
        self.visit()

    def another_tool_no(self):
        self.ask("external")
        self.open("/")
        self.run_js("metaCapi.consent(false)")
        self.visit()

    def another_tool_a_no_after_a_yes(self):
        self.another_tool_yes()
        self.browser.pixel.clear()
        self.run_js("metaCapi.consent(false)")
        self.run_js("fbq('track', 'Lead')")

    def switched_off(self):
        self.parameters.set_param("meta_capi.enabled", "False")
        self.visit()

    def logged_in(self):
        self.begin("buyer")
        self.visit()

    def logged_in_no_events_to_meta(self):
        self.partner.meta_capi_opt_out = True
        self.begin("buyer")
        self.visit()

    def employee(self):
        self.begin("employee")
        self.visit()

    def robot(self):
        with self.agent(ROBOT):
            self.visit()

    def in_app_browser_of_instagram(self):
        with self.agent(IN_APP):
            self.visit()

    def the_pixel_is_blocked(self):
        self.browser.blocks_pixel = True
        self.visit()

    def prerendered_not_looked_at(self):
        self.prerender(f"{self.product.website_url}?fbclid=AbC")

    def prerendered_then_looked_at(self):
        self.prerendered_not_looked_at()
        self.run_js("lookAtIt()")

    def test_every_cell_of_the_manuals_table(self):
        table = read_table()
        self.assertGreater(len(table), 10)
        for situation, expected in table.items():
            with self.subTest(situation), self.env.cr.savepoint():
                self.website.cookies_bar = False
                self.parameters.set_param("meta_capi.consent_source", False)
                self.parameters.set_param("meta_capi.enabled", "True")
                self.begin()
                # A customer's cart is found again.
                self.env["sale.order"].search([("state", "=", "draft")]).unlink()
                self.env.cr.execute("DELETE FROM meta_capi_browser")
                self.graph.clear()
                name = re.sub(r"\W+", "_", situation.lower()).strip("_")
                getattr(self, name)()
                found = self.found()
                expected = tuple(cell.removesuffix(" more") for cell in expected)
                self.assertEqual(found, expected)
