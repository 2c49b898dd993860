import json
import time

from odoo.http import root
from odoo.tests import tagged
from odoo.tools import hmac

from .browser import TR
from .test_bridge import BridgeCase
from .test_bridge_browser import LOAD, OTHER_PIXEL, SNIPPET, THEME, BrowserCase

# Seconds to wait for what mostly takes milliseconds.
PATIENCE = 20


def limits(event):
    return (
        event.data_processing_options,
        event.data_processing_options_country,
        event.data_processing_options_state,
    )


class VisitorCase(BrowserCase):
    """A visitor with a browser, and what it may be told later."""

    def setUp(self):
        super().setUp()
        self.browser.waits = True

    def begin(self, login=None):
        """Begin anew with another visitor."""
        self.events().unlink()
        self.browser.reset()
        self.browser.waits = True
        self.set_visitor(login)
        self.browser.remove_cookie("_fbp")

    def until(self, condition, message=None):
        """Wait for what the browser does by itself."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                self.fail(message or "It does not happen")
            self.browser.go_on()
            self.env.invalidate_all()

    def kept(self, order, column):
        self.env.flush_all()
        self.env.cr.execute(
            f"SELECT {column} FROM meta_capi_browser WHERE res_model = 'sale.order'"
            " AND res_id = %s",
            [order.id],
        )
        return (self.env.cr.fetchone() or [None])[0]

    def sent_images(self):
        """Return the ids of the events that the Pixel has tried to send."""
        return [call["id"] for call in self.browser.pixel if call.get("id")]

    def requested(self, path):
        return [body for found, body in self.browser.requests if found.startswith(path)]

    def set_cart(self, **values):
        """Give the visitor an order that is placed, with or without a payment."""
        order = self.order(**values)
        self.session = root.session_store.get(self.session.sid)
        self.set_session(sale_last_order_id=order.id)
        return order

    # Chromium prerenders nothing whose requests are intercepted: here a page is told that
    # it is being prerendered, and later that it is looked at.
    PRETEND = """
        let isPrerendering = true;
        Object.defineProperty(Document.prototype, 'prerendering', {
            configurable: true, get: () => isPrerendering,
        });
        window.lookAtIt = function () {
            isPrerendering = false;
            document.dispatchEvent(new Event('prerenderingchange'));
        };
    """

    def prerender(self, path):
        script = self.browser.evaluate_first(self.PRETEND)
        self.browser.send(
            "Network.setExtraHTTPHeaders",
            headers={"Sec-Purpose": "prefetch;prerender"},
        )
        self.open(path)
        self.browser.send("Network.setExtraHTTPHeaders", headers={})
        self.browser.send("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


@tagged("post_install", "-at_install", "browser")
class TestPixelSent(VisitorCase):
    """A copy of the browser counts once the Pixel has really sent it."""

    def buy_by_transfer(self):
        """Let the visitor see the confirmation of an order that is still a quotation."""
        order = self.set_cart(state="sent")
        self.open("/shop/confirmation")
        return order

    def pay_three_days_later(self, order):
        self.browser.leave()
        self.shift("purchase_handed_at", 3 * 86400, "meta_capi_browser")
        self.shift("purchase_sent_at", 3 * 86400, "meta_capi_browser")
        order.action_confirm()
        event = self.api.send_event("Purchase", origin=order)
        self.deliver()
        return event

    def test_a_buyer_who_blocks_and_pays_later_is_told_of_by_the_server(self):
        for name, options in (
            ("the Pixel is blocked", {"blocks_pixel": True}),
            ("its requests are blocked", {"blocks_sending": True}),
        ):
            with self.subTest(name):
                self.begin()
                self.set_snippet()
                for option, value in options.items():
                    setattr(self.browser, option, value)
                self.graph.clear()
                order = self.buy_by_transfer()
                self.assertFalse(self.kept(order, "purchase_sent_at"))
                event = self.pay_three_days_later(order)
                self.assertEqual(event.state, "sent", event.error_message)

    def test_a_copy_that_the_pixel_has_sent_counts_from_then_on(self):
        self.set_snippet()
        order = self.buy_by_transfer()
        self.until(lambda: self.kept(order, "purchase_sent_at"))
        self.assertEqual(self.pixel()["Purchase", order.meta_capi_event_id], 1)
        event = self.pay_three_days_later(order)
        self.assertEqual(event.failure_reason, "expired")
        self.assertNotIn("Purchase", [event.key[1] for event in self.graph.events])

    def test_a_pixel_that_comes_late_has_sent_when_it_has(self):
        self.browser.theme = (
            SNIPPET.split("t=b.createElement")[0].rstrip()
            + "}(window, document,'script','');"
            + THEME % self.pixel_id
        )
        order = self.buy_by_transfer()
        self.assertTrue(self.kept(order, "purchase_handed_at"))
        self.assertFalse(self.kept(order, "purchase_sent_at"))
        self.assertFalse(any(self.events().mapped("browser_twin")))
        self.run_js(LOAD)
        self.until(lambda: self.kept(order, "purchase_sent_at"))
        self.until(lambda: all(self.events().mapped("browser_twin")))

    def test_mirrored_events_have_a_twin_once_it_is_sent(self):
        self.set_snippet()
        self.open("/")
        self.until(lambda: self.events().browser_twin)
        self.events().unlink()
        for option in ("blocks_pixel", "blocks_sending"):
            setattr(self.browser, option, True)
            self.open("/")
            self.run_js("fbq('track', 'Lead')")
            self.assertEqual(len(self.events()), 2)
            self.assertFalse(any(self.events().mapped("browser_twin")), option)
            self.events().unlink()

    def test_what_is_too_long_for_a_url_has_been_sent_too(self):
        self.set_snippet()
        self.open("/")
        self.until(lambda: self.events().browser_twin)
        self.browser.blocks_pixel = True
        self.open("/")
        self.run_js(f"fetch('{TR}', {{method: 'POST', mode: 'no-cors'}})")
        self.until(lambda: all(self.events().mapped("browser_twin")))

    def test_a_request_that_hangs_holds_no_purchase_for_more_than_a_second(self):
        self.set_snippet()
        self.browser.hangs = ("/meta_capi/order",)
        order = self.buy_by_transfer()
        started = time.monotonic()
        self.until(lambda: "Purchase" in self.names(self.pixel()))
        self.assertLess(time.monotonic() - started, 2)
        # The page of the confirmation knows the id by itself.
        self.assertEqual(self.pixel()["Purchase", order.meta_capi_event_id], 1)
        self.browser.pixel.clear()
        self.open("/")
        self.run_js("fbq('track', 'Purchase', {value: 1}, {eventID: 'own'})")
        self.until(lambda: self.pixel()["Purchase", "own"])

    def test_of_a_page_that_is_shown_again_much_later_nothing_is_sent_again(self):
        self.set_snippet()
        order = self.buy_by_transfer()
        self.browser.pixel.clear()
        self.shift("purchase_handed_at", 25 * 3600, "meta_capi_browser")
        for fails in ((), ("/meta_capi/order",)):
            self.browser.fails = fails
            self.open("/shop/confirmation")
            if not fails:
                self.assertNotIn("Purchase", self.names(self.pixel()))
            self.assertFalse(self.pixel()["Purchase", order.meta_capi_event_id])


# What the tools do on a page, in their own words: before there is an answer, and to give
# the answers.
TCF = """
window.tcf = window.tcf || {listeners: [], data: {eventStatus: 'cmpuishown'}};
window.__tcfapi = function (command, version, callback) {
    if (command === 'addEventListener') {
        tcf.listeners.push(callback);
        callback(tcf.data, true);
    }
};
window.tcfAnswer = function (yes) {
    const consents = {1: yes, 2: yes, 3: yes, 4: yes, 7: yes, 9: yes, 10: yes};
    tcf.data = {eventStatus: 'useractioncomplete', gdprApplies: true,
                purpose: {consents, legitimateInterests: {7: false}}};
    tcf.listeners.forEach((listener) => listener(tcf.data, true));
};
"""
GTAG = """
window.dataLayer = window.dataLayer || [];
function gtag() { dataLayer.push(arguments); }
gtag('consent', 'default', {ad_storage: 'denied', ad_user_data: 'denied',
                            ad_personalization: 'denied', wait_for_update: 500});
"""
UPDATE = (
    "gtag('consent', 'update', {{ad_storage: '{0}', ad_user_data: '{0}',"
    " analytics_storage: 'granted'}});"
)
TOOLS = {
    "Meta's own": (
        SNIPPET + "fbq('consent', 'revoke');",
        "fbq('consent', 'grant');",
        "fbq('consent', 'revoke');",
    ),
    "Google's consent mode": (
        GTAG,
        UPDATE.format("granted"),
        UPDATE.format("denied"),
    ),
    "IAB TCF 2": (TCF, "tcfAnswer(true);", "tcfAnswer(false);"),
    "the documented call": (
        "",
        "metaCapi.consent(true);",
        "metaCapi.consent(false);",
    ),
}


@tagged("post_install", "-at_install", "browser")
class TestConsentTools(VisitorCase):
    """Consent tools other than Odoo's, behaving as they do."""

    def setUp(self):
        super().setUp()
        self.parameters.set_param("meta_capi.consent_source", "external")
        self.browser.remove_cookie("_fbp")

    def begin(self, head=""):
        super().begin()
        self.browser.theme = head

    def test_each_tool_is_understood_whatever_it_says_when(self):
        self.set_mode("server")
        for tool, (head, yes, no) in TOOLS.items():
            with self.subTest(tool, when="no answer"):
                self.begin(head)
                self.open("/?fbclid=AbC")
                self.open("/shop")
                self.assertNothingOfUs()
            with self.subTest(tool, when="a no first"):
                self.run_js(no)
                self.assertNothingOfUs("0")
                self.open("/")
                self.assertNothingOfUs("0")
            with self.subTest(tool, when="a late yes, twice"):
                self.begin(head)
                self.open("/?fbclid=AbC")
                self.run_js(yes + yes)
                self.assertEqual(self.names(self.server()), ["PageView"])
                self.assertIn("AbC", self.events().user_data["fbc"])
                self.assertEqual(self.browser.cookies()["meta_capi_consent"], "1")
            with self.subTest(tool, when="restored on the next page"):
                fbp = self.browser.cookies()["_fbp"]
                self.browser.theme = head + yes
                self.open("/shop")
                self.assertEqual(self.names(self.server()), ["PageView"] * 2)
                self.assertEqual(self.browser.cookies()["_fbp"], fbp)
            with self.subTest(tool, when="a no after a yes"):
                self.run_js(no)
                self.assertNothingOfUs("0", len(self.events()))
                self.assertEqual(set(self.events().mapped("state")), {"cancelled"})
                self.browser.theme = head + no
                self.open("/")
                self.assertNothingOfUs("0", len(self.events()))
            with self.subTest(tool, when="a yes after that"):
                self.run_js(yes)
                self.browser.theme = head + yes
                self.open("/")
                self.assertEqual(self.events()[-1].state, "pending")
            self.assertFalse(self.browser.errors)

    def assertNothingOfUs(self, answer=None, events=0):
        """Assert that nothing is set, told or kept, but the answer itself."""
        cookies = self.browser.cookies()
        self.assertFalse({"_fbp", "_fbc"} & cookies.keys(), cookies)
        # A page may begin with what is no answer yet.
        self.assertIn(cookies.get("meta_capi_consent"), (answer, None))
        self.assertEqual(len(self.events()), events)
        self.assertEqual(self.run_js("return sessionStorage.length"), 0)

    def test_without_a_word_on_the_next_page_the_answer_is_remembered(self):
        self.set_mode("server")
        self.open("/")
        self.run_js("metaCapi.consent(true)")
        self.open("/shop")
        self.assertEqual(len(self.events()), 2)
        self.run_js("metaCapi.consent(false)")
        self.open("/")
        self.assertEqual(len(self.events()), 2)

    def test_a_default_of_each_page_takes_no_answer_back(self):
        self.set_mode("server")
        for tool, (head, yes, _no) in TOOLS.items():
            with self.subTest(tool):
                self.begin(head)
                self.open("/")
                self.run_js(yes)
                first = self.events()
                fbp = self.browser.cookies()["_fbp"]
                # The tool is slow, or does not come at all.
                self.open("/shop")
                self.assertEqual(first.state, "pending")
                self.run_js(yes)
                self.assertEqual(len(self.events()), 2)
                self.assertEqual(self.browser.cookies()["_fbp"], fbp)

    def test_a_tool_that_was_there_before_us(self):
        self.set_mode("server")
        script = "/ih_meta_conversions_api/static/src/js/meta_capi.js"
        attributes = {
            "src": script,
            "data-pixel": self.pixel_id,
            "data-mode": "server",
            "data-events": "PageView,Lead,Purchase",
            "data-consent": "external",
            "data-collect": "/meta_capi/collect",
            "data-order": "/meta_capi/order",
        }
        for tool, (head, yes, no) in list(TOOLS.items())[:3]:
            for answer, expected in ((yes, 1), (no, 0), ("", 0)):
                with self.subTest(tool, answer=answer):
                    self.begin(head)
                    self.browser.blocks_pixel = True
                    # The page's own does not come, so that ours is the first and late.
                    self.browser.fails = (script,)
                    self.open("/")
                    self.run_js(answer)
                    self.browser.fails = ()
                    self.run_js(
                        f"""
                        const tag = document.createElement('script');
                        const all = Object.entries({json.dumps(attributes)});
                        for (const [name, value] of all) tag.setAttribute(name, value);
                        await new Promise(done => {{
                            tag.onload = done; document.head.append(tag)
                        }});
                        """
                    )
                    self.assertEqual(len(self.events()), expected)

    def test_where_two_disagree_the_stricter_wins(self):
        self.set_mode("server")
        self.begin(GTAG + TCF)
        self.open("/")
        self.run_js(UPDATE.format("granted"))
        self.assertFalse(self.events())
        self.run_js("tcfAnswer(true)")
        self.assertEqual(len(self.events()), 1)
        self.begin(GTAG + TCF)
        self.open("/")
        self.run_js("tcfAnswer(false)")
        self.run_js(UPDATE.format("granted"))
        self.assertFalse(self.events())
        for types in (
            "{ad_storage: 'granted', ad_user_data: 'denied'}",
            "{ad_storage: 'denied', ad_user_data: 'granted'}",
        ):
            self.begin("")
            self.open("/")
            self.run_js(
                "window.dataLayer = window.dataLayer || [];"
                "(function () { dataLayer.push(arguments) })"
                f"('consent', 'update', {types})"
            )
            self.assertFalse(self.events())

    def test_a_purpose_that_is_missing_is_a_no(self):
        self.set_mode("server")
        for missing in (1, 3, 4, 7):
            self.begin(TCF)
            self.open("/")
            self.run_js(
                "const consents = {1: true, 3: true, 4: true, 7: true};"
                f"consents[{missing}] = false;"
                "tcf.data = {eventStatus: 'tcloaded', gdprApplies: true,"
                " purpose: {consents}};"
                "tcf.listeners.forEach((listener) => listener(tcf.data, true))"
            )
            self.assertFalse(self.events(), missing)

    def test_metas_own_command_counts_whoever_asks(self):
        for source in ("none", "odoo"):
            with self.subTest(source):
                self.parameters.set_param("meta_capi.consent_source", source)
                self.begin(SNIPPET + THEME % self.pixel_id)
                self.open("/")
                self.assertEqual(len(self.events()), 1)
                self.run_js("fbq('consent', 'revoke')")
                self.assertNothingOfUs("0", 1)
                self.assertEqual(self.events().state, "cancelled")
                self.run_js("fbq('track', 'Lead')")
                self.open("/shop")
                self.assertNothingOfUs("0", 1)
                self.run_js("fbq('consent', 'grant'); fbq('track', 'Contact')")
                self.assertEqual(self.names(self.server()), ["Contact", "PageView"])

    def test_a_no_of_odoos_bar_counts_beside_an_external_yes(self):
        self.set_mode("server")
        self.ask_for_consent()
        self.open("/")
        self.run_js(
            "document.cookie = 'website_cookies_bar={\"optional\": false};path=/'"
        )
        self.run_js("metaCapi.consent(true)")
        self.assertFalse(self.events())

    def test_a_pixel_of_ours_does_as_the_visitor_says(self):
        self.set_mode("load")
        scripts = (
            "return [...document.scripts].filter("
            "tag => tag.src.includes('fbevents')).length"
        )
        self.open("/")
        self.assertEqual(self.run_js(scripts), 0)
        self.run_js("metaCapi.consent(true)")
        self.assertEqual(self.run_js(scripts), 1)
        self.assertAgree("PageView")
        self.run_js("metaCapi.consent(false)")
        self.run_js("fbq('track', 'Lead')")
        self.assertEqual(self.names(self.pixel()), ["PageView"])
        self.assertEqual(len(self.events()), 1)
        self.run_js("metaCapi.consent(true)")
        self.run_js("fbq('track', 'Contact')")
        self.assertEqual(self.names(self.pixel()), ["Contact", "PageView"])


@tagged("post_install", "-at_install", "browser")
class TestLateConsent(VisitorCase):
    """A visitor who looks around before answering."""

    def setUp(self):
        super().setUp()
        self.set_mode("server")
        self.ask_for_consent()
        self.browser.remove_cookie("_fbp")

    def test_what_waited_has_one_fbp_and_the_click_of_the_visit(self):
        self.open("/?fbclid=AbC")
        self.open("/shop")
        self.open(self.product.website_url)
        self.assertFalse(self.events())
        self.agree()
        self.until(lambda: len(self.events()) == 2)
        self.assertEqual(self.names(self.server()), ["PageView", "ViewContent"])
        (fbp,) = {event.user_data["fbp"] for event in self.events()}
        self.assertEqual(self.browser.cookies()["_fbp"], fbp)
        for event in self.events():
            self.assertRegex(event.user_data["fbc"], r"\.AbC$")

    def test_what_the_server_made_before_the_yes_is_told_after_it(self):
        for mode in ("server", "load"):
            with self.subTest(mode):
                self.set_mode(mode)
                self.begin()
                self.open(self.product.website_url)
                self.add_to_cart()
                self.browser.settle()
                self.assertFalse(self.events())
                self.agree()
                self.until(lambda: len(self.events()) == 3)
                added = self.events(event_name="AddToCart")
                self.assertEqual(added.custom_data["value"], 200)
                self.assertEqual(
                    len({event.user_data["fbp"] for event in self.events()}), 1
                )
                if mode == "load":
                    self.assertAgree("AddToCart", "PageView", "ViewContent")

    def test_a_cookie_of_the_bar_that_holds_no_answer_is_waited_with(self):
        for value in ("{}", "true", "5"):
            with self.subTest(value):
                self.browser.reset()
                self.browser.set_cookie("website_cookies_bar", value)
                self.open("/")
                self.assertFalse(self.events())
                self.agree()
                self.assertEqual(self.events().mapped("event_name"), ["PageView"])
                self.events().unlink()

    def test_what_was_done_after_a_no_is_never_told(self):
        self.open(self.product.website_url)
        self.run_js(
            "document.cookie = 'website_cookies_bar={\"optional\": false};path=/'"
        )
        self.add_to_cart()
        self.browser.settle()
        self.agree()
        self.browser.settle()
        self.assertNotIn("AddToCart", self.names(self.server()))


@tagged("post_install", "-at_install", "browser")
class TestPrerender(VisitorCase):
    """Pages that a browser prepares, and that are looked at later or never."""

    def test_nothing_happens_until_the_page_is_looked_at_and_then_once(self):
        for mode in ("load", "server", "page"):
            with self.subTest(mode):
                self.begin()
                self.set_mode(mode)
                if mode == "page":
                    self.browser.theme = SNIPPET + THEME % self.pixel_id
                self.prerender(f"{self.product.website_url}?fbclid=AbC")
                self.assertFalse(self.events())
                self.assertFalse({"_fbp", "_fbc"} & self.browser.cookies().keys())
                if mode != "page":
                    self.assertFalse(self.browser.pixel)
                self.run_js("lookAtIt()")
                self.until(lambda: len(self.events()) == 2)
                if mode == "server":
                    self.assertEqual(
                        self.names(self.server()), ["PageView", "ViewContent"]
                    )
                else:
                    self.assertAgree("PageView", "ViewContent")
                (fbp,) = {event.user_data["fbp"] for event in self.events()}
                self.assertEqual(self.browser.cookies()["_fbp"], fbp)
                self.assertRegex(self.browser.cookies()["_fbc"], r"\.AbC$")

    def test_a_purchase_waits_for_the_page_to_be_looked_at(self):
        self.set_snippet()
        order = self.set_cart(state="sent")
        self.prerender("/shop/confirmation")
        self.assertNotIn("Purchase", self.names(self.pixel()))
        self.run_js("lookAtIt()")
        self.until(lambda: self.pixel()["Purchase", order.meta_capi_event_id])


@tagged("post_install", "-at_install", "browser")
class TestPageLimits(VisitorCase):
    """Limited Data Use, as the page tells the Pixel."""

    def test_the_mirrored_events_carry_what_the_page_says(self):
        self.browser.theme = (
            SNIPPET
            + "fbq('dataProcessingOptions', ['LDU'], 0, 0);"
            + THEME % self.pixel_id
        )
        self.open("/")
        self.assertEqual(limits(self.events()), (["LDU"], 0, 0))
        self.run_js("fbq('dataProcessingOptions', ['LDU'], 1, 1000)")
        self.run_js("fbq('track', 'Lead')")
        self.assertEqual(limits(self.events(event_name="Lead")), (["LDU"], 1, 1000))
        self.run_js("fbq('dataProcessingOptions', []); fbq('track', 'Contact')")
        self.assertFalse(self.events(event_name="Contact").data_processing_options)


@tagged("post_install", "-at_install", "browser")
class TestLoadedPixel(VisitorCase):
    """What the server would not send, the Pixel that we load does not send either."""

    def setUp(self):
        super().setUp()
        self.set_mode("load")

    def assertSpared(self, word):
        self.open(self.product.website_url)
        self.add_to_cart()
        self.open("/shop/payment")
        self.browser.settle()
        self.assertFalse(self.browser.pixel)
        self.assertNotIn(
            "connect.facebook.net", self.run_js("return document.head.innerHTML")
        )
        self.assertEqual(set(self.events().mapped("state")), {"cancelled"})
        self.assertIn(word, self.events()[0].error_message)
        for name in ("ViewContent", "AddToCart", "InitiateCheckout"):
            self.assertEqual(len(self.events(event_name=name)), 1, name)

    def test_of_a_customer_who_objects_nothing_is_sent(self):
        self.buyer().meta_capi_opt_out = True
        self.assertSpared("objects")

    def test_of_a_customer_with_an_excluded_tag_nothing_is_sent(self):
        tag = self.env["res.partner.category"].create({"name": "Press"})
        self.parameters.set_param("meta_capi.excluded_tag_ids", str(tag.id))
        self.buyer().category_id = tag
        self.assertSpared("Press")

    def test_data_use_is_limited_before_the_pixel_begins(self):
        self.parameters.set_param("meta_capi.limited_data_use", "always")
        self.open("/")
        self.run_js("fbq('dataProcessingOptions', []); fbq('track', 'Lead')")
        self.assertEqual(
            [call["limits"] for call in self.browser.pixel], [[["LDU"], 0, 0]] * 3
        )
        self.assertEqual(self.events().mapped("data_processing_options"), [["LDU"]] * 2)
        self.parameters.set_param("meta_capi.limited_data_use", "state")
        self.buyer()
        self.browser.pixel.clear()
        self.open("/")
        self.assertEqual(self.browser.pixel[0]["limits"], [["LDU"], 1, 1000])

    def test_an_order_that_the_server_does_not_tell_of_is_told_of_by_nobody(self):
        provider = self.env["payment.provider"].search([], limit=1)
        test_mode = {"state": "test"}
        for name, prepare, state in (
            ("a quotation", lambda order: None, None),
            ("free", lambda order: order.order_line.write({"price_unit": 0}), "no"),
            (
                "paid in test mode",
                lambda order: (
                    provider.write(test_mode),
                    self.pay(order).write({"state": "done"}),
                ),
                "no",
            ),
            ("a sale", lambda order: None, "yes"),
        ):
            with self.subTest(name):
                self.browser.pixel.clear()
                order = self.set_cart(state="sent")
                prepare(order)
                if state:
                    order.state = "sale"
                    self.api.send_event("Purchase", origin=order)
                self.open("/shop/confirmation")
                sent = [call for call in self.names(self.pixel()) if call == "Purchase"]
                self.assertEqual(len(sent), 1 if state == "yes" else 0)
                rows = self.events(event_name="Purchase", res_id=order.id)
                self.assertEqual(
                    rows.mapped("state"),
                    {None: [], "no": ["cancelled"], "yes": ["pending"]}[state],
                )
                if state == "yes":
                    self.assertEqual(
                        self.pixel()["Purchase", order.meta_capi_event_id], 1
                    )

    # ------------------------------------------------------------------------- twins

    def test_what_the_server_makes_has_a_twin_in_the_browser(self):
        self.open(self.product.website_url)
        self.add_to_cart()
        self.browser.settle()
        self.assertAgree("PageView", "ViewContent", "AddToCart")
        (call,) = (c for c in self.browser.pixel if c["name"] == "AddToCart")
        added = self.events(event_name="AddToCart")
        self.assertEqual(call["data"], added.custom_data)
        self.until(lambda: self.events(event_name="AddToCart").browser_twin)
        # Once, and on no other page.
        self.open("/shop")
        self.assertEqual(self.pixel()["AddToCart", added.event_id], 1)

    def test_a_message_has_a_twin(self):
        self.env.company.email = "shop@example.com"
        self.assertFormHasTwin("mail.mail", "Contact", self.message())

    def test_a_lead_has_a_twin(self):
        if not self.env["ir.model"]._get("crm.lead").website_form_access:
            self.skipTest("there is no form that makes leads without website_crm")
        lead = {"contact_name": "Jane Doe", "email_from": "jane@example.com"}
        self.assertFormHasTwin("crm.lead", "Lead", {**lead, "name": "A question"})

    def assertFormHasTwin(self, model, event_name, values):
        self.open("/")
        answer = self.run_js(
            f"""
            const form = new FormData();
            for (const [name, value] of Object.entries({json.dumps(values)}))
                form.append(name, value);
            const answer = await fetch('/website/form/{model}',
                                       {{method: 'POST', body: form}});
            return await answer.text();
            """
        )
        self.assertIn("id", answer)
        self.assertAgree("PageView", event_name)
        self.assertNotIn("jane", json.dumps(self.browser.pixel).lower())

    def message(self):
        return {
            "email_from": "jane@example.com",
            "subject": "A question",
            "email_to": "shop@example.com",
            "body_html": "What is it?",
            "website_form_signature": hmac(
                self.env, "website_form_signature", "shop@example.com"
            ),
        }

    def test_an_account_has_a_twin_on_the_page_that_follows(self):
        self.parameters.set_param("auth_signup.invitation_scope", "b2c")
        self.website.auth_signup_uninvited = "b2c"
        self.open("/web/signup")
        self.flush()
        self.browser.follow(
            """
            const set = (name, value) => {
                document.querySelector(`form [name=${name}]`).value = value;
            };
            set('login', 'new@example.com');
            set('name', 'New');
            set('password', 'test-password');
            set('confirm_password', 'test-password');
            document.querySelector('form.oe_signup_form').submit();
            """
        )
        self.browser.settle()
        account = self.events(event_name="CompleteRegistration")
        self.assertEqual(account.state, "pending")
        self.assertEqual(
            self.pixel()["CompleteRegistration", account.event_id],
            1,
            self.browser.pixel,
        )
        self.browser.reload()
        self.assertEqual(self.pixel()["CompleteRegistration", account.event_id], 1)

    def test_a_pixel_that_the_page_begins_as_well_begins_once(self):
        self.browser.theme = (
            f"fbq('init', '{self.pixel_id}'); fbq('init', '{OTHER_PIXEL}');"
        )
        self.open("/")
        began = [c["pixel"] for c in self.browser.pixel if c["name"] == "Microdata"]
        self.assertEqual(sorted(began), sorted([self.pixel_id, OTHER_PIXEL]))
        self.assertFalse(self.browser.errors)


@tagged("post_install", "-at_install", "requests")
class TestPageTells(BridgeCase):
    """What a page tells of itself in the requests of its script."""

    def test_an_event_tells_of_the_click_of_the_page_before(self):
        url = self.base_url()
        self.collect("ViewContent", referrer_url=f"{url}/?fbclid=AbC")
        self.assertRegex(self.events().user_data["fbc"], r"\.AbC$")
        self.collect(
            "ViewContent", "other", referrer_url="https://other.example/?fbclid=XyZ"
        )
        self.assertNotIn("XyZ", str(self.events().mapped("user_data")))

    def test_a_browser_limits_more_and_never_less(self):
        for index, (mode, given, expected) in enumerate(
            (
                ("off", [["LDU"], 0, 0], (["LDU"], 0, 0)),
                ("off", [["LDU"]], (["LDU"], 0, 0)),
                ("off", [["LDU"], 1, 1000], (["LDU"], 1, 1000)),
                ("off", [["LDU"], 1, 7], (["LDU"], 0, 0)),
                ("off", [["LDU"], True, "1000"], (["LDU"], 0, 0)),
                ("off", [[]], (None, None, None)),
                ("off", ["LDU"], (None, None, None)),
                ("always", [[]], (["LDU"], 0, 0)),
                ("always", [["LDU"], 1, 1000], (["LDU"], 1, 1000)),
            )
        ):
            self.parameters.set_param("meta_capi.limited_data_use", mode)
            keys = ("", "_country", "_state")
            self.collect(
                "ViewContent",
                f"id-{index}",
                **{
                    f"data_processing_options{key}": value
                    for key, value in zip(keys, given, strict=False)
                },
            )
            event = self.events(event_id=f"id-{index}")
            found = tuple(part or None for part in limits(event)[:1])
            found += limits(event)[1:] if found[0] else (None, None)
            self.assertEqual(found, expected, (mode, given))

    def test_what_the_pixel_has_sent_is_told_of_by_name_and_id(self):
        self.collect("ViewContent", "a")
        self.collect("ViewContent", "b")
        for body in (
            b"",
            b"{}",
            b"[]",
            b"[1]",
            b'[["a"]]',
            b'[["a", 1]]',
            b'[["", "a"]]',
        ):
            response = self.request("/meta_capi/sent", body)
            self.assertEqual(response.status_code, 400, body)
        body = json.dumps([["ViewContent", "b"], ["Lead", "a"], ["Purchase", "b"]])
        response = self.request("/meta_capi/sent", body.encode())
        self.assertEqual(response.status_code, 204)
        self.assertEqual(self.events().mapped("browser_twin"), [False, True])

    def test_nobody_tells_of_the_purchase_of_another(self):
        own, other = self.order(state="sale"), self.order(state="sale")
        for order in (own, other):
            order._meta_capi_hand_out_purchase()
        self.set_session(sale_last_order_id=own.id)
        for order in (other, own):
            body = json.dumps([["Purchase", order.meta_capi_event_id]])
            self.request("/meta_capi/sent", body.encode())
        self.env.cr.execute(
            "SELECT res_id FROM meta_capi_browser WHERE purchase_sent_at IS NOT NULL"
        )
        self.assertEqual(self.env.cr.fetchall(), [(own.id,)])

    def test_robots_are_served_without_the_script_whoever_came_first(self):
        person, robot = "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", "Googlebot/2.1"
        for agents in ((person, robot, person), (robot, person)):
            self.env.registry.clear_all_caches()
            for agent in agents:
                response = self.request("/", method="GET", User_Agent=agent)
                has_script = "/js/meta_capi.js" in response.text
                self.assertEqual(has_script, agent == person, agents)

    def test_a_page_that_is_only_prepared_sets_and_keeps_nothing(self):
        for header in ("Sec_Purpose", "Purpose", "X_Moz"):
            response = self.request(
                "/?fbclid=AbC", method="GET", **{header: "prefetch;prerender"}
            )
            names = {name for name in response.cookies.keys() if name[:3] == "_fb"}
            self.assertFalse(names, header)
        response = self.request("/?fbclid=AbC", method="GET")
        self.assertIn("_fbc", response.cookies)
