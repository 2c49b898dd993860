from __future__ import annotations

import doctest

from ..capi import url as url_module
from ..capi.browser import read_fbclid
from ..capi.url import sanitized_url, shortened_url, without_personal_data

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase


class TestWithoutPersonalData(BaseCase):
    def assertKept(self, cases):
        for given, kept in cases.items():
            with self.subTest(given=given):
                url = f"https://shop.example{given}"
                self.assertEqual(
                    without_personal_data(url), f"https://shop.example{kept}"
                )

    def assertParameterGoes(self, *parameters):
        for parameter in parameters:
            self.assertKept(
                {
                    f"/?{parameter}": "/",
                    f"/?a=1&{parameter}&b=%20#top": "/?a=1&b=%20#top",
                    f"/#{parameter}": "/",
                }
            )

    def assertStays(self, *urls):
        for url in urls:
            with self.subTest(url=url):
                self.assertEqual(without_personal_data(url), url)

    def test_the_examples_in_the_docstrings_hold(self):
        self.assertEqual(doctest.testmod(url_module).failed, 0)

    def test_what_has_an_at_sign_goes(self):
        self.assertParameterGoes(
            "to=jane@b.example", "to=jane%40b.example", "jane%2540b.example"
        )
        self.assertKept({"/u/jane@b.example/c?x": "/u/c?x"})
        url = "https://jane:secret@shop.example:8069/a"
        self.assertEqual(without_personal_data(url), "https://shop.example:8069/a")

    def test_what_is_an_international_phone_number_goes(self):
        self.assertParameterGoes(
            "to=%2B4930901820",
            "to=%252B4930901820",
            "to=%2b49%2030%20901820",
            "to=%2B49+30+901820",
            "to=+49+30+901820",
            "to=+49-30-901820",
            "text=call%20%2B49%2030%20901820%20now",
        )
        self.assertKept({"/call/+4930901820/now": "/call/now"})
        self.assertStays(
            "https://shop.example/?q=shoes+4930901820",
            "https://shop.example/?q=%2B20+%25&price=100000000-200000000",
            "https://shop.example/?date=2026-11-23T12:00:00%2B02:00",
        )

    def test_what_is_named_after_contact_data_goes(self):
        self.assertParameterGoes(
            *(
                f"{name}=x"
                for name in """
                email e-mail E_Mail EMAIL mail signup_email partner_email useremail
                emailAddress e%2Dmail email_from phone phone_number tel mobile name
                firstname first_name firstName first-name last_name LASTNAME surname
                full_name contact_name partner_name username street street2 address
                zip zip_code postcode city birthday birthdate birth_date dob
                billing[first_name] billing%5Bemail%5D customer.phone
                """.split()
            )
        )

    def test_what_is_named_after_a_secret_goes(self):
        self.assertParameterGoes(
            *(
                f"{name}=x"
                for name in """
                password pwd passwd access_token token signup_token auth_signup_token
                csrf_token accessToken accesstoken login client_secret api_key otp
                session_id
                """.split()
            )
        )

    def test_what_tells_of_no_person_stays(self):
        self.assertStays(
            *(
                f"https://shop.example/?{name}=x"
                for name in """
                search q fbclid gclid utm_source utm_medium utm_campaign utm_email page
                order category attrib ppg tags db key code hash debug lang country
                country_id state_id city_id partner_id product_id product_name gender
                mailing_id emailing phonebook streetwear tokens iPad microphone names
                """.split()
            )
        )

    def test_a_url_inside_a_parameter_is_looked_into(self):
        self.assertParameterGoes(
            "redirect=/my/orders/7?access_token=x",
            "redirect=%2Fmy%2Forders%2F7%3Faccess_token%3Dx",
            "redirect=%2Fa%3Fb%3D1%26email%3Dx",
            "redirect=%252Fa%253Ftoken%253Dx",
            "a=1;email=x",
        )
        self.assertStays(
            "https://shop.example/?redirect=%2Fmy%3Fpage%3D2",
            "https://shop.example/?redirect=%2Fmail%3Fpage%3D2",
            "https://shop.example/?redirect=%2Fmail%2Fpage%3D2",
        )

    def test_a_name_without_a_value_says_nothing(self):
        self.assertStays(
            "https://shop.example/email/token?email&token#name",
            "https://shop.example/?a=email&b=token",
        )

    def test_all_the_rest_stays_byte_for_byte(self):
        self.assertStays(
            "HTTPS://Shop.Example:443/A%2fb//c/./?",
            "https://shop.example",
            "https://shop.example?",
            "https://shop.example?a=%e4&&b==c;d&#",
            "http://größe.example/größe?q=größe+x#größe",
            "https://shop.example/#/a?b=1",
        )
        self.assertKept({"/a?&email=x&&b=%E4&": "/a?&&b=%E4&", "?email=x": ""})


class TestTellableUrl(BaseCase):
    CLICK = "IwAR2F4-dbP0l7Mn_" + "x" * 100

    def test_what_is_of_least_use_goes_first(self):
        use = (
            f"fbclid={self.CLICK}",
            "utm_campaign=spring",
            "product=desk",
            "gclid=" + "g" * 100,
        )
        url = "https://shop.example/landing?" + "&".join(reversed(use)) + "#top"
        left = [url]
        for limit in range(len(url), 0, -1):
            short = shortened_url(url, limit)
            if short != left[-1]:
                left.append(short)
        page = "https://shop.example/landing"
        self.assertEqual(
            left,
            [
                url,
                url.removesuffix("#top"),
                f"{page}?{use[2]}&{use[1]}&{use[0]}",
                f"{page}?{use[1]}&{use[0]}",
                f"{page}?{use[0]}",
                f"https://shop.example/?{use[0]}",
                page,
                "https://shop.example/",
                None,
            ],
        )

    def test_of_a_kind_the_longest_goes_first(self):
        url = "https://shop.example/?a=1&b=22222222&c=333&d=4"
        self.assertEqual(
            shortened_url(url, len(url) - 1), "https://shop.example/?a=1&c=333&d=4"
        )

    def test_a_click_id_survives_whatever_stands_around_it(self):
        rest = "x" * 3000
        for url in (
            f"https://shop.example/?{rest}&fbclid={self.CLICK}",
            f"https://shop.example/{rest}?fbclid={self.CLICK}&utm_source={rest}",
            f"https://shop.example/a?fbclid={self.CLICK}#{rest}",
            f"https://shop.example/a?gclid={rest}&utm_id={rest}&fbclid={self.CLICK}&{rest}",
            f"https://shop.example/a?{'a&' * 3000}fbclid={self.CLICK}",
            f"https://shop.example/a?fbclid={self.CLICK}{'&a=1' * 3000}",
        ):
            with self.subTest(url):
                told = sanitized_url(url)
                self.assertLessEqual(len(told), 2048)
                self.assertEqual(read_fbclid(told), self.CLICK)
                self.assertEqual(told.count("fbclid"), 1)

    def test_what_fits_stays_as_it_is(self):
        for url in (
            "https://shop.example",
            "HTTP://shop.example/?%20&&=#",
            "http://a/é?ü",
        ):
            self.assertEqual(sanitized_url(url), url)

    def test_what_is_no_page_is_left_out(self):
        for url in (
            None,
            7,
            "",
            "about:blank",
            "android-app://com.google.android.googlequicksearchbox/",
            "https:///path",
            "https://shop.example/\r\nx",
            "https://shop.example/\0",
            "https://shop.example/\ud800",
            "https://" + "h" * 3000,
        ):
            with self.subTest(url):
                self.assertIsNone(sanitized_url(url))
