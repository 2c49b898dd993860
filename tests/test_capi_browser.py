from __future__ import annotations

import doctest

from ..capi import browser as browser_module
from ..capi.browser import (
    COOKIE_MAX_AGE,
    cookie_domain,
    current_fbc,
    is_browser_id,
    make_fbc,
    make_fbp,
    public_address,
    read_fbclid,
)
from ..capi.event import read_event

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

NOW_MS = 1_795_435_200_500
THINGS = (None, False, True, 0, 42, 1.5, b"fb.1.1.1", [], {}, object())
GARBAGE = ("", " ", "\x00", "\ud800", "unknown", "é", "." * 300, "x" * 100_000)


class TestPublicAddress(BaseCase):
    def test_the_examples_in_the_docstrings_hold(self):
        self.assertEqual(doctest.testmod(browser_module).failed, 0)

    def test_the_first_of_a_kind_wins_and_version_6_before_version_4(self):
        for candidates, expected in (
            (("8.8.8.8", "9.9.9.9"), "8.8.8.8"),
            (("8.8.8.8", "2606:4700::1", "2606:4700::2"), "2606:4700::1"),
            (("192.168.1.2", None, "", "9.9.9.9"), "9.9.9.9"),
            (("fe80::1", "9.9.9.9"), "9.9.9.9"),
            ((), None),
        ):
            with self.subTest(candidates=candidates):
                self.assertEqual(public_address(*candidates), expected)

    def test_addresses_are_in_their_canonical_form(self):
        for text, expected in (
            ("2606:4700:0000:0:0:0:0:00AB", "2606:4700::ab"),
            (" 8.8.8.8\n", "8.8.8.8"),
            ("::ffff:8.8.8.8", "8.8.8.8"),
            ("::FFFF:808:808", "8.8.8.8"),
        ):
            with self.subTest(text=text):
                self.assertEqual(public_address(text), expected)

    def test_what_is_not_public_is_not_told(self):
        for text in """
            0.0.0.0 10.1.2.3 172.16.0.1 192.168.0.1 127.0.0.1 169.254.1.1
            100.64.0.1 192.0.2.1 198.51.100.1 203.0.113.7 198.18.0.1 224.0.0.1
            232.1.2.3 240.0.0.1 255.255.255.255
            :: ::1 fe80::1 fec0::1 fc00::1 fd12:3456::1 2001:db8::1 3fff::1
            ff02::1 ff0e::1 100::1 5f00::1 64:ff9b::808:808
            ::ffff:192.168.0.1 ::ffff:100.64.0.1 ::ffff:224.0.0.1
        """.split():
            with self.subTest(text=text):
                self.assertIsNone(public_address(text))

    def test_what_is_no_bare_address_is_not_repaired(self):
        for text in (
            *GARBAGE,
            *THINGS,
            "[2606:4700::1]",
            "[2606:4700::1]:443",
            "8.8.8.8:443",
            "8.8.8.8, 9.9.9.9",
            "2606:4700::1%eth0",
            "2606:4700::1/64",
            "08.8.8.8",
            "134744072",
        ):
            with self.subTest(text=str(text)[:30]):
                self.assertIsNone(public_address(text))


class TestCookieDomain(BaseCase):
    def assertDomains(self, cases):
        for host, expected in cases.items():
            with self.subTest(host=host):
                self.assertEqual(cookie_domain(host), expected)

    def test_a_shops_hosts_share_the_domain_it_has_registered(self):
        self.assertDomains(
            {
                "example.com": ("example.com", 1),
                "www.example.com": ("example.com", 1),
                "de.shop.example.com": ("example.com", 1),
                "www.example.shop": ("example.shop", 1),
                "www.example.de": ("example.de", 1),
                "shop.example.fr": ("example.fr", 1),
            }
        )

    def test_case_and_port_make_no_difference(self):
        self.assertDomains(
            {
                "WWW.Example.COM": ("example.com", 1),
                "www.example.com:8069": ("example.com", 1),
                " www.example.com:": ("example.com", 1),
            }
        )

    def test_international_names_are_those_of_the_wire(self):
        self.assertDomains(
            {
                "www.müller.de": ("xn--mller-kva.de", 1),
                "www.xn--mller-kva.de": ("xn--mller-kva.de", 1),
                "www.пример.рф": ("xn--e1afmkfd.xn--p1ai", 1),
                "shop.пример.рф": ("shop.xn--e1afmkfd.xn--p1ai", 2),
            }
        )

    def test_a_domain_is_never_one_that_strangers_register_below(self):
        self.assertDomains(
            {
                "shop.example.co.uk": ("example.co.uk", 2),
                "www.example.com.au": ("example.com.au", 2),
                "www.example.com.br": ("example.com.br", 2),
                "www.example.co.jp": ("example.co.jp", 2),
                "www.example.asso.fr": ("example.asso.fr", 2),
                "www.example.info.tr": ("example.info.tr", 2),
                "www.example.uk.com": ("example.uk.com", 2),
                "example.co.uk": ("example.co.uk", 2),
                "co.uk": (None, 1),
                "com.au": (None, 1),
                "uk.com": (None, 1),
            }
        )

    def test_a_short_name_may_be_such_a_domain(self):
        self.assertDomains(
            {"www.abc.de": ("www.abc.de", 2), "abc.de": (None, 1)},
        )

    def test_where_towns_are_domains_only_the_www_is_cut_off(self):
        self.assertDomains(
            {
                "www.example.it": ("example.it", 1),
                "example.torino.it": ("example.torino.it", 2),
                "www.example.shibuya.tokyo.jp": ("example.shibuya.tokyo.jp", 3),
                "example.k12.ca.us": ("example.k12.ca.us", 3),
                "www.com.pl": ("www.com.pl", 2),
            }
        )

    def test_the_neighbours_at_a_host_of_shops_get_no_cookie(self):
        self.assertDomains(
            {
                "my-shop.odoo.com": (None, 2),
                "my-shop-staging-12345.dev.odoo.com": (None, 3),
                "www.my-shop.odoo.com": (None, 3),
                "my-shop.myshopify.com": (None, 2),
                "my-shop.herokuapp.com": (None, 2),
                "me.github.io": (None, 2),
                "my-shop.eu.org": (None, 2),
                "odoo.com": (None, 1),
            }
        )

    def test_a_host_without_a_domain_keeps_its_cookies(self):
        hosts = "localhost 127.0.0.1 127.0.0.1:8069 [::1] [::1]:8069 ::1 127.1 shop com"
        self.assertDomains(dict.fromkeys(hosts.split(), (None, 1)))

    def test_the_final_dot_makes_another_host(self):
        self.assertDomains(
            {"example.com.": (None, 1), "www.example.com.": (None, 2), ".": (None, 1)}
        )

    def test_what_is_no_host_has_no_domain(self):
        names = (
            *GARBAGE,
            "a..com",
            "-a.com",
            "a_.b c.com",
            "a;b.com",
            "é" * 70,
            "a." * 130 + "com",
        )
        self.assertDomains(dict.fromkeys(names, (None, 1)))
        for value in THINGS:
            with self.subTest(value=value):
                self.assertEqual(cookie_domain(value), (None, 1))


class TestClickId(BaseCase):
    def test_a_click_id_is_found_wherever_it_stands(self):
        for url in (
            "https://shop.example/?fbclid=IwAR_x-1",
            "https://shop.example/a?b=1&fbclid=IwAR_x-1&c",
            "https://shop.example/?fbclid=IwAR_x-1#fbclid=Other",
            "/shop?fbclid=IwAR_x-1",
            "?fbclid=IwAR%5Fx%2D1",
            "?fbclid=IwAR_x-1&fbclid=Other",
        ):
            with self.subTest(url=url):
                self.assertEqual(read_fbclid(url), "IwAR_x-1")

    def test_it_is_decoded_once(self):
        self.assertEqual(read_fbclid("?fbclid=a%2541"), "a%41")
        self.assertEqual(read_fbclid("?fbclid=a+b"), "a+b")

    def test_what_is_none_is_not_taken_for_one(self):
        for url in (
            *GARBAGE,
            *THINGS,
            "https://shop.example/fbclid=x",
            "https://shop.example/?FBCLID=x",
            "https://shop.example/?xfbclid=x",
            "https://shop.example/?fbclid",
            "https://shop.example/?fbclid=",
            "https://shop.example/#?fbclid=x",
        ):
            with self.subTest(url=str(url)[:40]):
                self.assertIsNone(read_fbclid(url))

    def test_what_no_cookie_could_hold_is_refused(self):
        for value in "a.b a%20b a%3Bb a%2Cb a%22b a%5Cb a%0Ab a%00b %C3%A9 é".split():
            with self.subTest(value=value):
                self.assertIsNone(read_fbclid(f"?fbclid={value}"))

    def test_it_has_500_characters_at_most(self):
        self.assertEqual(read_fbclid("?fbclid=" + "x" * 500), "x" * 500)
        self.assertIsNone(read_fbclid("?fbclid=" + "x" * 501))

    def test_every_click_id_makes_a_browser_id_of_four_parts(self):
        for code in range(0x21, 0x7F):
            fbclid = read_fbclid(f"?fbclid=%{code:02x}")
            if fbclid:
                fbc = make_fbc(fbclid, NOW_MS, 1)
                self.assertTrue(is_browser_id(fbc), fbc)
                self.assertEqual(fbc.split("."), ["fb", "1", str(NOW_MS), fbclid])


class TestBrowserId(BaseCase):
    def test_a_new_browser_id_has_ten_random_digits(self):
        made = {make_fbp(NOW_MS, 2) for _time in range(50)}
        self.assertGreater(len(made), 40)
        for fbp in made:
            self.assertTrue(is_browser_id(fbp), fbp)
            self.assertRegex(fbp, rf"^fb\.2\.{NOW_MS}\.[12][0-9]{{9}}$")
            self.assertLessEqual(int(fbp.split(".")[3]), 2147483647)

    def test_the_cookie_is_kept_unless_the_click_is_another(self):
        old, new = f"fb.2.{NOW_MS - 1}.Old", f"fb.1.{NOW_MS}.New"
        for cookie, fbclid, expected in (
            (old, None, old),
            (old, "", old),
            (old, "Old", old),
            (f"{old}.AQQCAQMC", "Old", f"{old}.AQQCAQMC"),
            (f"{old}.AQQCAQMC", "AQQCAQMC", f"fb.1.{NOW_MS}.AQQCAQMC"),
            (old, "New", new),
            (old, "old", f"fb.1.{NOW_MS}.old"),
            (None, "New", new),
            ("", "New", new),
            ("New", "New", new),
            (f"fb.1.{NOW_MS // 1000}.New", "New", new),
            (f"fb.1.{NOW_MS}.a.b.c", "New", new),
            (None, None, None),
            ("New", None, None),
        ):
            with self.subTest(cookie=cookie, fbclid=fbclid):
                self.assertEqual(current_fbc(cookie, fbclid, NOW_MS, 1), expected)

    def test_the_form_is_the_one_that_events_are_sent_with(self):
        for text, expected in (
            ("fb.1.1554763741205.AbCdEf_gh-IJ", True),
            ("fb.1.1596403881668.1116446470.AQQCAQMC", True),
            ("fb.1.1596403881668.1116446470.Ag", True),
            ("fb.1.1554763741.AbC", False),
            ("fb.1.1596403881668.1.2.3", False),
            ("fb.1.1596403881668.1 ", False),
            ("fb.1.x.1", False),
            ("fb.1.1554763741205", False),
            *((text, False) for text in GARBAGE),
        ):
            with self.subTest(text=text[:40]):
                self.assertIs(is_browser_id(text), expected)
                user_data = {"external_id": "1", "fbp": text, "fbc": text}
                event, _problems = read_event({"user_data": user_data}, now=1)
                self.assertIs("fbp" in event.user_data, expected)
                self.assertIs("fbc" in event.user_data, expected)

    def test_what_is_no_text_is_no_browser_id(self):
        for value in THINGS:
            with self.subTest(value=value):
                self.assertIs(is_browser_id(value), False)

    def test_cookies_live_as_long_as_the_pixels(self):
        self.assertEqual(COOKIE_MAX_AGE, 7_776_000)
