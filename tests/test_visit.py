from unittest.mock import patch

from odoo.tests import HttpCase, tagged

from .common import FBC, FBP, MetaCapiCase

VISITOR = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"}
INSTAGRAM = {
    "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
    " AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F79 Instagram 330.0.0.0.0"
    " (iPhone14,3; iOS 17_5; en_US; en; scale=3.00; 1125x2436)"
}
ACCEPTED = '{"required": true, "optional": true}'
REFUSED = '{"required": true, "optional": false}'


@tagged("post_install", "-at_install", "requests")
class TestVisit(MetaCapiCase, HttpCase):
    """The cookies that a visitor of the real website gets, and does not get."""

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def get(self, path, *, agent=VISITOR, **cookies):
        """Return the headers that set our cookies with a page, by the cookie's name."""
        self.opener.cookies.update(cookies)
        response = self.url_open(path, headers=agent, allow_redirects=False, timeout=60)
        self.assertEqual(response.status_code, 200)
        # A visitor who comes back brings along what the test says, and nothing else.
        jar = self.opener.cookies
        for cookie in list(jar):
            if cookie.name in {"_fbc", "_fbp", *cookies}:
                jar.clear(cookie.domain, cookie.path, cookie.name)
        headers = response.raw.headers.getlist("Set-Cookie")
        return {
            header.partition("=")[0]: header
            for header in headers
            if header.startswith(("_fbc", "_fbp"))
        }

    def test_the_first_page_sets_the_cookies_for_ninety_days(self):
        cookies = self.get("/?fbclid=IwAR_Click")
        self.assertRegex(cookies["_fbc"], r"^_fbc=fb\.1\.\d{13}\.IwAR_Click;")
        self.assertRegex(cookies["_fbp"], r"^_fbp=fb\.1\.\d{13}\.\d{10};")
        for header in cookies.values():
            self.assertIn("Max-Age=7776000", header)
            self.assertIn("Path=/", header)
            self.assertIn("SameSite=Lax", header)
            # The Pixel reads them, too; and on this host no domain can be had.
            self.assertNotIn("HttpOnly", header)
            self.assertNotIn("Domain", header)

    def test_a_page_from_the_cache_sets_them_too(self):
        self.get("/")
        self.assertEqual(self.get("/?fbclid=AbC").keys(), {"_fbc", "_fbp"})
        self.assertEqual(self.get("/shop").keys(), {"_fbp"})

    def test_an_older_click_of_another_tab_replaces_no_newer_one(self):
        older = {**VISITOR, "Referer": f"{self.base_url()}/?fbclid=Older"}
        self.assertFalse(self.get("/shop", agent=older, _fbc=FBC, _fbp=FBP))
        self.assertIn("Older", self.get("/shop", agent=older, _fbp=FBP)["_fbc"])
        newer = self.get("/shop?fbclid=Newer", agent=older, _fbc=FBC, _fbp=FBP)
        self.assertIn("Newer", newer["_fbc"])

    def test_cookies_that_are_there_are_not_set_again(self):
        self.assertFalse(self.get("/?fbclid=AbCdEf", _fbc=FBC, _fbp=FBP))

    def test_nothing_is_set_until_optional_cookies_are_accepted(self):
        self.website.cookies_bar = True
        self.assertFalse(self.get("/?fbclid=AbC"))
        self.assertFalse(self.get("/?fbclid=AbC", website_cookies_bar=REFUSED))
        cookies = self.get("/?fbclid=AbC", website_cookies_bar=ACCEPTED)
        self.assertEqual(cookies.keys(), {"_fbc", "_fbp"})

    def test_withdrawn_consent_is_honoured_by_the_first_request_that_can_write(self):
        self.website.cookies_bar = True
        event = self.record(user_data={"fbp": FBP})
        self.env.flush_all()
        traces = {"_fbc": FBC, "_fbp": FBP, "website_cookies_bar": REFUSED}
        # Odoo 18 and 19 show pages on a read-only cursor, in a test always.
        self.get("/", **traces)
        cookies = self.get("/shop/cart", **traces)
        self.env.invalidate_all()
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))
        for header in cookies.values():
            self.assertIn("Max-Age=0", header)
        self.assertFalse(self.get("/shop/cart", website_cookies_bar=REFUSED))

    def test_who_comes_by_an_app_of_meta_s_is_a_person(self):
        cookies = self.get("/shop?fbclid=AbC-d_E", agent=INSTAGRAM)
        self.assertRegex(cookies["_fbc"], r"^_fbc=fb\.1\.\d{13}\.AbC-d_E;")
        self.assertIn("_fbp", cookies)

    def test_nothing_is_set_for_a_robot(self):
        for robot in (
            "Mozilla/5.0 (compatible; Googlebot/2.1)",
            "meta-externalads/1.1",
            "",
        ):
            agent = {"User-Agent": robot}
            self.assertFalse(self.get("/?fbclid=AbC", agent=agent), robot)

    def test_nothing_is_set_while_switched_off(self):
        self.parameters.set_param("meta_capi.enabled", "False")
        self.assertFalse(self.get("/?fbclid=AbC"))

    def test_a_page_is_shown_even_if_the_cookies_break(self):
        visit = self.env.registry["meta.capi.visit"]
        with (
            patch.object(visit, "_update_cookies", side_effect=ValueError),
            self.assertLogs("meta.conversions.api", "ERROR") as log,
        ):
            self.assertFalse(self.get("/"))
        self.assertIn("Traceback", log.output[0])
