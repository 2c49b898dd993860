import json
from collections import Counter

from odoo.http import root
from odoo.tests import new_test_user, tagged

from .browser import TR, BrowserMixin
from .test_bridge import FBP, BridgeCase

OTHER_PIXEL = "555000111222333"
# What many a shop has in its head, word for word as Meta gives it out.
SNIPPET = """
!function(f,b,e,v,n,t,s)
{if(f.fbq)return;n=f.fbq=function(){n.callMethod?
n.callMethod.apply(n,arguments):n.queue.push(arguments)};
if(!f._fbq)f._fbq=n;n.push=n;n.loaded=!0;n.version='2.0';
n.queue=[];t=b.createElement(e);t.async=!0;
t.src=v;s=b.getElementsByTagName(e)[0];
s.parentNode.insertBefore(t,s)}(window, document,'script',
'https://connect.facebook.net/en_US/fbevents.js');
"""
# What a theme or another module tells of the funnel's pages, without any id.
THEME = """
fbq('init', '%s');
fbq('track', 'PageView');
(function () {
    var path = location.pathname;
    var data = {value: 12.5, currency: 'USD', content_ids: ['9'], content_type: 'product'};
    if (/\\/shop\\/.*desk/.test(path)) fbq('track', 'ViewContent', data);
    if (/\\/shop\\/checkout/.test(path)) fbq('track', 'InitiateCheckout', data);
    if (/\\/shop\\/payment/.test(path)) fbq('track', 'AddPaymentInfo', data);
    if (/\\/shop\\/confirmation/.test(path)) fbq('track', 'Purchase', data);
})();
"""
# What Google's tag manager makes of it.
TAG_MANAGER = """
window.fbq = function () {
    var call = window.fbq.callMethod;
    if (call) call.apply(null, arguments); else window.fbq.queue.push(arguments);
};
window._fbq = window.fbq;
window.fbq.queue = window.fbq.queue || [];
"""
LOAD = """
document.head.append(Object.assign(document.createElement('script'), {
    src: 'https://connect.facebook.net/en_US/fbevents.js',
}));
"""
FUNCTION = """
function fbq() {
    fbq.callMethod ? fbq.callMethod.apply(fbq, arguments) : fbq.queue.push(arguments);
}
fbq.queue = [];
window._fbq = fbq;
"""


class BrowserCase(BrowserMixin, BridgeCase):
    """A shop, and a visitor with a browser."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.product.write(
            {"type": "service", "is_published": True, "website_id": False}
        )
        # What the browser makes of it is for each test to say.
        cls.website.custom_code_head = '<script src="/theme.js"></script>'

    def setUp(self):
        super().setUp()
        self.set_visitor()

    def set_visitor(self, login=None):
        self.log_in_browser(login, "test-password" if login else None)
        self.browser.set_cookie("_fbp", FBP)

    def set_snippet(self, pixel_id=None):
        """Put a Pixel into the head, as an inline script of the website's."""
        theme = SNIPPET + THEME % (pixel_id or self.pixel_id)
        self.website.custom_code_head = f"<script>{theme}</script>"

    def open(self, path):
        self.flush()
        self.browser.open(path)

    def run_js(self, code):
        self.flush()
        return self.browser.run(code)

    def server(self):
        """Return how often the server has each event, by name and id."""
        return Counter(
            self.events().mapped(lambda event: (event.event_name, event.event_id))
        )

    def pixel(self, pixel_id=None):
        """Return how often the Pixel has sent each event, by name and id."""
        return Counter(
            (call.get("name"), call["id"])
            for call in self.browser.pixel
            if call["pixel"] == (pixel_id or self.pixel_id)
            and call.get("name") != "Microdata"
        )

    def names(self, counter):
        return sorted(
            name for (name, _id), count in counter.items() for _ in range(count)
        )

    def assertAgree(self, *names):
        """Assert that both ends have had these events, and once each under one id."""
        self.assertEqual(self.names(self.pixel()), sorted(names))
        self.assertEqual(self.pixel(), self.server())
        self.assertTrue(all(event_id for _name, event_id in self.pixel()))

    def buyer(self):
        """Log in somebody whose address the checkout asks for no more."""
        user = new_test_user(
            self.env, "buyer", groups="base.group_portal", password="test-password"
        )
        user.partner_id.write(
            {
                "name": "Jane Doe",
                "email": "jane@example.com",
                "phone": "+1 650 555 1212",
                "street": "1 Hacker Way",
                "city": "Menlo Park",
                "zip": "94025",
                "country_id": self.env.ref("base.us").id,
                "state_id": self.env.ref("base.state_us_5").id,
            }
        )
        self.set_visitor("buyer")
        return user.partner_id

    def add_to_cart(self, quantity=2):
        self.flush()
        product = self.product
        if hasattr(type(self.env["sale.order"]), "_cart_update_line_quantity"):
            self.browser.rpc(
                "/shop/cart/add",
                product_template_id=product.product_tmpl_id.id,
                product_id=product.id,
                quantity=quantity,
            )
        else:
            self.browser.rpc(
                "/shop/cart/update_json", product_id=product.id, add_qty=quantity
            )
        self.env.invalidate_all()
        return self.env["sale.order"].search([], order="id desc", limit=1)

    def ask_for_consent(self):
        self.website.cookies_bar = True
        if "block_third_party_domains" in self.website._fields:
            self.website.block_third_party_domains = False

    def agree(self):
        """Let the visitor accept all cookies, as the cookies bar does."""
        self.run_js(
            """
            document.cookie = 'website_cookies_bar={"required": true, "optional": true};path=/';
            document.dispatchEvent(new Event('optionalCookiesAccepted'));
            """
        )

    def place(self, order):
        """Let the customer's payment confirm the order, as a provider's message does."""
        order.action_confirm()
        self.api.send_event("Purchase", origin=order)
        self.session = root.session_store.get(self.session.sid)
        self.set_session(sale_last_order_id=order.id)


@tagged("post_install", "-at_install", "browser")
class TestBridgePixel(BrowserCase):
    """A Pixel that somebody else has put on the pages."""

    def test_from_the_home_page_to_the_confirmation(self):
        self.set_snippet()
        self.buyer()
        self.open("/")
        self.open(self.product.website_url)
        cart = self.add_to_cart()
        self.run_js("fbq('track', 'AddToCart', {value: 200, currency: 'USD'})")
        self.open("/shop/cart")
        self.open("/shop/checkout")
        self.assertIn("/shop/checkout", self.run_js("return location.href"))
        self.open("/shop/payment")
        self.assertIn("/shop/payment", self.run_js("return location.href"))
        self.place(cart)
        self.open("/shop/confirmation")
        self.assertAgree(
            *["PageView"] * 6,
            *(
                "ViewContent",
                "AddToCart",
                "InitiateCheckout",
                "AddPaymentInfo",
                "Purchase",
            ),
        )
        purchase = self.events(event_name="Purchase")
        self.assertEqual(purchase.event_id, cart.meta_capi_event_id)
        self.assertEqual(purchase.custom_data["value"], cart.amount_total)
        self.assertEqual(
            self.events(event_name="InitiateCheckout").custom_data["value"],
            cart.amount_total,
        )
        self.assertEqual(
            self.events(event_name="ViewContent").custom_data["value"], 12.5
        )
        self.assertFalse(self.browser.errors)
        self.deliver()
        self.assertEqual(
            Counter(received.key[1:] for received in self.graph.events),
            self.pixel(),
        )

        # Coming back, or reloading, sends the same Purchase, and no other a day later.
        self.browser.reload()
        self.assertEqual(
            self.pixel()["Purchase", cart.meta_capi_event_id], 2, self.browser.pixel
        )
        self.shift("purchase_handed_at", 25 * 3600, "meta_capi_browser")
        self.browser.reload()
        self.assertEqual(self.pixel()["Purchase", cart.meta_capi_event_id], 2)
        self.assertEqual(len(self.events(event_name="Purchase")), 1)

    def test_a_purchase_is_not_lost_where_the_server_knows_no_id(self):
        self.set_snippet()
        self.open("/")
        self.run_js("fbq('track', 'Purchase', {value: 1}, {eventID: 'own'})")
        self.assertEqual(self.names(self.pixel()), ["PageView", "Purchase"])
        self.assertNotIn(("Purchase", "own"), self.pixel())
        self.browser.pixel.clear()
        self.browser.fails = ("/meta_capi/order",)
        self.browser.reload()
        self.run_js(
            """
            const wait = window.setTimeout;
            window.setTimeout = (action, pause) => wait(action, pause / 20);
            fbq('track', 'Purchase', {value: 1}, {eventID: 'own'});
            await new Promise(resolve => wait(resolve, 500));
            """
        )
        self.assertEqual(self.pixel()["Purchase", "own"], 1)
        self.assertEqual(self.names(self.server()), ["PageView"] * 2)

    def test_calls_are_seen_however_they_are_made(self):
        self.set_snippet()
        self.open("/")
        self.browser.pixel.clear()
        self.run_js(
            f"""
            const pixel = '{self.pixel_id}';
            fbq('track', 'Lead', {{value: 1, currency: 'USD'}}, {{eventID: 'given'}});
            fbq('track', 'Contact', undefined, {{eventID: 7}});
            fbq.push('track', 'Search', {{search_string: 'desk'}});
            _fbq('track', 'Donate');
            window.fbq.call(null, 'trackCustom', 'Schedule');
            fbq.apply(window, ['trackSingle', pixel, 'StartTrial', {{}}]);
            fbq('trackSingleCustom', pixel, 'Subscribe');
            fbq('trackSingle', '{OTHER_PIXEL}', 'ViewContent');
            const inner = window.fbq;
            window.fbq = function () {{ return inner.apply(this, arguments) }};
            fbq('track', 'CustomizeProduct');
            """
        )
        names = ["Lead", "Contact", "Search", "Donate", "Schedule", "StartTrial"]
        self.assertEqual(self.pixel(OTHER_PIXEL), {("ViewContent", None): 1})
        self.browser.pixel.append(
            {"pixel": self.pixel_id, "name": "PageView", "id": self.page_view()}
        )
        self.assertAgree("PageView", "Subscribe", "CustomizeProduct", *names)
        self.assertEqual(self.pixel()["Lead", "given"], 1)
        self.assertEqual(self.pixel()["Contact", "7"], 1)
        self.assertEqual(
            self.events(event_name="Search").custom_data, {"search_string": "desk"}
        )

    def page_view(self):
        return self.events(event_name="PageView").event_id

    def test_nothing_of_a_call_is_changed_but_its_id(self):
        self.set_snippet()
        self.open("/")
        self.browser.pixel.clear()
        result = self.run_js(
            """
            const data = {value: 1, currency: 'USD', own: {deep: [1]}}, options = {};
            const loop = {}; loop.loop = loop;
            fbq('track', 'Lead', data, options);
            fbq('track', 'SubscribedButtonClick', data);
            fbq('trackCustom', 'Own', data);
            fbq('track', 'Contact', loop.none, null);
            fbq('track'); fbq(); fbq(null, null); fbq('set', 'autoConfig', false, '1');
            fbq('track', {toString() { throw new Error('not to be asked') }});
            return [Object.keys(options), typeof fbq, fbq === _fbq, fbq.push === fbq,
                    fbq.version, fbq.loaded, fbq.queue.length];
            """
        )
        self.assertEqual(result, [[], "function", True, True, "2.0", True, 0])
        self.assertEqual(
            [
                (call.get("name"), call.get("data"), bool(call.get("id")))
                for call in self.browser.pixel
            ],
            [
                ("Lead", {"value": 1, "currency": "USD", "own": {"deep": [1]}}, True),
                (
                    "SubscribedButtonClick",
                    {"value": 1, "currency": "USD", "own": {"deep": [1]}},
                    False,
                ),
                ("Own", {"value": 1, "currency": "USD", "own": {"deep": [1]}}, False),
                ("Contact", {}, True),
                (None, None, False),
                ({}, None, False),
            ],
        )
        self.assertEqual(self.names(self.server()), ["Contact", "Lead", "PageView"])

    def test_a_pixel_is_seen_whoever_loads_it(self):
        theme = THEME % self.pixel_id
        for name, head, expected in (
            ("Meta's own snippet", SNIPPET + theme, ["Lead", "PageView"]),
            ("a tag manager", TAG_MANAGER + theme + LOAD, ["Lead", "PageView"]),
            ("a function", FUNCTION + theme + LOAD, ["Lead", "PageView"]),
            (
                "two pixels",
                f"{SNIPPET}fbq('init', '{OTHER_PIXEL}');{theme}",
                ["Lead", "PageView"],
            ),
            ("none", "", []),
        ):
            with self.subTest(name):
                self.forget()
                self.browser.theme = head
                self.open("/")
                self.run_js("window.fbq && fbq('track', 'Lead')")
                self.assertFalse(self.browser.errors)
                self.assertAgree(*expected)
                collected = [
                    path for path, _ in self.browser.requests if "collect" in path
                ]
                self.assertEqual(len(collected), len(expected))
                if name == "two pixels":
                    self.assertEqual(self.pixel(OTHER_PIXEL), self.pixel())
                if not head:
                    self.assertEqual(self.run_js("return typeof fbq"), "undefined")

        with self.subTest("blocked"):
            self.forget()
            self.browser.theme = SNIPPET + theme
            self.browser.blocks_pixel = True
            self.open("/")
            self.run_js("fbq('track', 'Lead')")
            self.assertFalse(self.browser.pixel)
            self.assertEqual(self.names(self.server()), ["Lead", "PageView"])

    def forget(self):
        """Begin anew with another visitor."""
        self.events().unlink()
        self.browser.reset()
        self.set_visitor()

    def test_a_pixel_that_was_there_before_us(self):
        # The script of ours comes last; until then, calls wait in the stub.
        self.set_snippet()
        attributes = {
            "src": "/ih_meta_conversions_api/static/src/js/meta_capi.js",
            "data-pixel": self.pixel_id,
            "data-mode": "page",
            "data-events": "PageView,Lead,Purchase",
            "data-collect": "/meta_capi/collect",
            "data-order": "/meta_capi/order",
        }
        self.parameters.set_param("meta_capi.bridge_enabled", False)
        self.browser.blocks_pixel = True
        self.open("/")
        self.parameters.set_param("meta_capi.bridge_enabled", "True")
        self.assertFalse(self.events())
        self.run_js(
            f"""
            fbq('track', 'Purchase', {{value: 1, currency: 'USD'}});
            const tag = document.createElement('script');
            for (const [name, value] of Object.entries({json.dumps(attributes)}))
                tag.setAttribute(name, value);
            await new Promise(done => {{ tag.onload = done; document.head.append(tag) }});
            """
        )
        self.browser.blocks_pixel = False
        self.run_js(
            """
            const tag = document.createElement('script');
            tag.src = 'https://connect.facebook.net/en_US/fbevents.js';
            await new Promise(done => { tag.onload = done; document.head.append(tag) });
            fbq('track', 'Lead');
            """
        )
        self.assertEqual(self.names(self.pixel()), ["Lead", "PageView", "Purchase"])
        self.assertEqual(self.names(self.server()), ["Lead", "PageView"])
        self.assertFalse(self.server() - self.pixel())

    # ----------------------------------------------------------------------- consent

    def test_the_visitors_answer_is_waited_for_and_kept_to(self):
        self.ask_for_consent()
        self.set_snippet()
        self.open("/")
        self.run_js("for (let i = 0; i < 60; i++) fbq('track', 'Lead')")
        self.assertEqual(self.names(self.pixel()), ["Lead"] * 60 + ["PageView"])
        self.assertTrue(all(event_id for _name, event_id in self.pixel()))
        self.assertFalse(self.events())
        self.assertNotIn("/meta_capi/collect", dict(self.browser.requests))
        # Nor is it told, or tried out, that the page's own Pixel has sent anything.
        self.assertNotIn("/meta_capi/sent", dict(self.browser.requests))
        self.assertNotIn(TR, self.browser.foreign)
        # Nor is the server asked for an order.
        self.run_js("fbq('track', 'Purchase', {value: 1, currency: 'USD'})")
        self.assertIn("Purchase", self.names(self.pixel()))
        self.assertNotIn("/meta_capi/order", dict(self.browser.requests))
        self.assertEqual(self.run_js("return sessionStorage.length"), 0)

        # What has waited goes out, as far as it was kept, and all that follows.
        self.agree()
        self.assertEqual(self.names(self.server()), ["Lead"] * 49 + ["PageView"])
        self.assertFalse(self.server() - self.pixel())
        self.events().unlink()
        self.browser.pixel.clear()
        self.open("/shop")
        self.assertAgree("PageView")

        self.run_js(
            "document.cookie = 'website_cookies_bar={\"optional\": false};path=/'"
        )
        self.browser.requests.clear()
        self.open("/shop")
        self.assertNotIn("/meta_capi/collect", dict(self.browser.requests))
        self.assertEqual(len(self.events()), 1)

    # -------------------------------------------------------------------- the page

    def test_no_page_of_the_shop_shows_an_error(self):
        self.set_snippet()
        self.browser.loads_assets = True
        for path in ("/", "/shop", self.product.website_url, "/shop/cart"):
            self.open(path)
        self.assertFalse(self.browser.errors)

    def test_the_script_is_the_first_and_nothing_of_ours_is_inline(self):
        # A page waits for it where something calls it at once.
        for mode, consent, waits in (
            ("page", "odoo", True),
            ("load", "odoo", True),
            ("server", "external", True),
            ("server", "odoo", False),
            ("server", "none", False),
        ):
            with self.subTest(mode=mode, consent=consent):
                self.set_mode(mode)
                self.parameters.set_param("meta_capi.consent_source", consent)
                self.open("/")
                scripts = self.run_js(
                    """
                    return [...document.scripts].map(
                        script => [script.getAttribute('src'), script.text, script.async])
                    """
                )
                ours = [n for n, tag in enumerate(scripts) if "meta_capi" in str(tag)]
                self.assertEqual(ours, [0])
                source, text, is_async = scripts[0]
                self.assertIn("/static/src/js/meta_capi.js?v=", source)
                self.assertEqual((text, is_async), ("", not waits))

    def test_the_pages_are_as_ever_while_switched_off(self):
        self.set_snippet()
        self.parameters.set_param("meta_capi.bridge_enabled", False)
        self.open("/")
        self.assertNotIn(
            "meta_capi", self.run_js("return document.documentElement.outerHTML")
        )
        self.assertEqual(self.pixel(), {("PageView", None): 1})
        self.assertFalse(self.events())

    def test_employees_are_served_without(self):
        new_test_user(
            self.env, "employee", groups="base.group_user", password="test-password"
        )
        page = "return document.documentElement.outerHTML.includes('/js/meta_capi.js')"
        self.open("/")
        self.assertTrue(self.run_js(page))
        self.set_visitor("employee")
        self.open("/")
        self.assertFalse(self.run_js(page))
        self.set_visitor()
        self.open("/")
        self.assertTrue(self.run_js(page))


@tagged("post_install", "-at_install", "browser")
class TestBridgeFunnel(BrowserCase):
    """The funnel's events, where it is us who make them."""

    def tour(self):
        """Go from the home page to the confirmation, to and fro; return the order."""
        partner = self.buyer()
        self.open("/")
        self.open("/shop?search=desk")
        self.open(f"{self.product.website_url}?search=desk")
        cart = self.add_to_cart()
        self.assertEqual(cart.partner_id, partner)
        self.open("/shop/cart")
        self.open("/shop/checkout")
        self.assertIn("/shop/checkout", self.run_js("return location.href"))
        self.browser.reload()
        self.open("/shop/payment")
        self.assertIn("/shop/payment", self.run_js("return location.href"))
        self.browser.back()
        self.open("/shop/payment")
        for _ in range(2):
            self.run_js(
                """
                const button = document.createElement('button');
                button.name = 'o_payment_submit_button';
                document.body.append(button);
                button.click();
                """
            )
        self.pay(cart)
        self.flush()
        self.place(cart)
        self.open("/shop/confirmation")
        self.assertFalse(self.browser.errors)
        return cart

    def assertFunnel(self, cart):
        names = ["Search", "ViewContent", "AddToCart", "InitiateCheckout"]
        server = self.server()
        self.assertEqual(
            [name for name in self.names(server) if name != "PageView"],
            sorted([*names, "AddPaymentInfo", "Purchase"]),
        )
        # One more where the browser loads the page anew that it goes back to.
        self.assertIn(self.names(server).count("PageView"), (8, 9))
        for name in ("InitiateCheckout", "AddPaymentInfo", "Purchase"):
            event = self.events(event_name=name)
            self.assertEqual(event.event_id, cart._meta_capi_event_id(name))
            self.assertEqual(event.custom_data["value"], cart.amount_total)
            self.assertEqual(event.res_id, cart.id)
        self.assertEqual(
            self.events(event_name="Search").custom_data, {"search_string": "desk"}
        )
        content = {"id": str(self.product.id), "quantity": 1, "item_price": 100}
        viewed = self.events(event_name="ViewContent").custom_data
        self.assertEqual(viewed["contents"], [content])
        self.assertEqual((viewed["value"], viewed["content_name"]), (100, "Desk"))
        added = self.events(event_name="AddToCart").custom_data
        self.assertEqual(added["contents"], [{**content, "quantity": 2}])
        self.assertEqual(added["value"], 200)
        self.deliver()
        self.assertEqual(Counter(event.key[1:] for event in self.graph.events), server)

    def test_with_a_pixel_of_ours_both_ends_tell_of_the_funnel(self):
        self.set_mode("load")
        cart = self.tour()
        self.assertFunnel(cart)
        self.assertEqual(self.pixel(), self.server())

    def test_without_a_pixel_the_server_tells_of_the_funnel(self):
        self.set_mode("server")
        cart = self.tour()
        self.assertFunnel(cart)
        self.assertFalse(self.browser.pixel)
        self.assertEqual(self.run_js("return typeof fbq"), "undefined")
        self.assertFalse(any(self.events().mapped("browser_twin")))

    def test_a_pixel_of_ours_waits_for_consent(self):
        self.set_mode("load")
        self.ask_for_consent()
        self.open(self.product.website_url)
        scripts = "return [...document.scripts].filter(tag => tag.src.includes('fbevents')).length"
        self.assertEqual(self.run_js(scripts), 0)
        self.assertFalse(self.browser.pixel)
        self.assertFalse(self.events())
        self.agree()
        self.assertEqual(self.run_js(scripts), 1)
        self.assertAgree("PageView", "ViewContent")

    def test_events_that_are_not_chosen_are_not_made(self):
        self.set_mode("load")
        self.parameters.set_param("meta_capi.bridge_events", "ViewContent")
        self.open(self.product.website_url)
        self.assertAgree("ViewContent")


@tagged("post_install", "-at_install", "browser")
class TestFirstPaint(BrowserCase):
    """What our script leaves until a page is painted, which may never be."""

    UNPAINTED = """
        window.requestAnimationFrame = () => 0;
        const wait = window.setTimeout;
        window.setTimeout = (action, time) => time === 1000 ? 0 : wait(action, time);
    """

    def setUp(self):
        super().setUp()
        script = self.browser.evaluate_first(self.UNPAINTED)
        self.addCleanup(
            self.browser.send,
            "Page.removeScriptToEvaluateOnNewDocument",
            identifier=script,
        )

    def test_a_page_that_is_left_before_it_is_painted_has_told_all(self):
        for mode, is_known in (("server", True), ("server", False), ("page", False)):
            with self.subTest(mode, is_known=is_known):
                self.events().unlink()
                self.browser.reset()
                self.set_visitor()
                self.set_mode(mode)
                if mode == "page":
                    self.set_snippet()
                self.open(self.product.website_url)
                if not is_known:
                    # As of a visitor who has said yes on this page.
                    self.browser.remove_cookie("_fbp")
                self.assertNotIn("/meta_capi/collect", dict(self.browser.requests))
                self.browser.leave()
                self.env.invalidate_all()
                self.assertIn("/meta_capi/collect", dict(self.browser.requests))
                self.assertEqual(self.names(self.server()), ["PageView", "ViewContent"])
