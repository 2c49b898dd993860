from datetime import timedelta

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged

from ..models.admin.meta_capi_alert import TOKEN_END
from .test_alerts import AlertCase


class TokenCase(AlertCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tokens = cls.env["meta.capi.token"]
        cls.today = fields.Date.today()

    def days(self, website=None):
        return self.tokens._days(website or self.website)

    def second_website(self, **values):
        return self.env["website"].create(
            {"name": "Another", "domain": f"https://{len(values)}.example", **values}
        )

    def in_days(self, days):
        return self.today + timedelta(days=days)

    def end_in(self, days):
        """Let the common token end in so many days."""
        day = fields.Date.to_string(self.in_days(days))
        self.parameters.set_param("meta_capi.access_token_expires_on", day)

    def long_ago(self):
        """Let the common token have been set long ago."""
        self.parameters.set_param("meta_capi.access_token_set_on", "2020-01-31")


@tagged("post_install", "-at_install")
class TestTokenDays(TokenCase):
    def test_the_day_a_token_is_set_is_kept_by_itself(self):
        self.assertEqual(self.days(), (self.today, False))
        self.long_ago()
        self.parameters.set_param("meta_capi.access_token", "EAAnew")
        self.assertEqual(self.days(), (self.today, False))
        parameter = self.parameters.search([("key", "=", "meta_capi.access_token")])
        self.long_ago()
        parameter.value = "EAAnewer"
        self.assertEqual(self.days(), (self.today, False))

    def test_the_same_token_saved_again_keeps_its_days(self):
        self.long_ago()
        self.end_in(30)
        before = self.days()
        self.parameters.set_param("meta_capi.access_token", f" {self.token} ")
        self.parameters.search(
            [("key", "=", "meta_capi.access_token")]
        ).value = self.token
        self.assertEqual(self.days(), before)

    def test_without_a_token_there_are_no_days(self):
        self.end_in(30)
        self.parameters.set_param("meta_capi.access_token", False)
        self.assertEqual(self.days(), (False, False))

    def test_another_parameter_changes_no_days(self):
        self.long_ago()
        before = self.days()
        self.parameters.set_param("meta_capi.batch_delay", "7")
        self.parameters.set_param("some.other", "x")
        self.assertEqual(self.days(), before)

    def test_a_website_with_a_token_of_its_own_has_its_own_days(self):
        self.long_ago()
        self.end_in(30)
        other = self.second_website()
        self.assertEqual(self.days(other), self.days())
        other.meta_capi_access_token = "EAAown"
        self.assertEqual(self.days(other), (self.today, False))
        self.assertEqual(self.days()[1], self.in_days(30))
        other.meta_capi_token_expires_on = self.in_days(5)
        other.meta_capi_access_token = "EAAown"
        self.assertEqual(self.days(other), (self.today, self.in_days(5)))
        other.meta_capi_access_token = "EAAother"
        self.assertEqual(self.days(other), (self.today, False))
        other.meta_capi_access_token = False
        self.assertEqual(self.days(other), self.days())
        self.assertFalse(other.meta_capi_token_set_on)

    def test_a_token_and_its_end_can_be_told_together(self):
        values = {
            "meta_capi_access_token": "EAAown",
            "meta_capi_token_expires_on": self.in_days(60),
        }
        other = self.second_website(**values)
        self.assertEqual(self.days(other), (self.today, self.in_days(60)))
        values["meta_capi_access_token"] = "EAAnew"
        other.write(values)
        self.assertEqual(self.days(other), (self.today, self.in_days(60)))

    def test_what_is_no_date_is_refused(self):
        for value in ("soon", "2027-02-30", "31.01.2027"):
            with self.subTest(value), self.assertRaises(ValidationError):
                self.parameters.set_param("meta_capi.access_token_expires_on", value)


@tagged("post_install", "-at_install")
class TestTokenSettings(TokenCase):
    def open(self, website=None):
        settings = self.env["res.config.settings"].with_context(
            default_website_id=(website or self.website).id
        )
        return Form(settings)

    def test_the_page_shows_the_days_and_saves_the_end(self):
        self.long_ago()
        with self.open() as form:
            self.assertEqual(
                fields.Date.to_string(form.meta_capi_token_set_on), "2020-01-31"
            )
            self.assertFalse(form.meta_capi_token_expires_on)
            form.meta_capi_token_expires_on = self.in_days(60)
        form.record.execute()
        self.assertEqual(self.days()[1], self.in_days(60))
        with self.open() as form:
            self.assertEqual(form.meta_capi_token_expires_on, self.in_days(60))
            form.meta_capi_token_expires_on = False
        form.record.execute()
        self.assertFalse(self.days()[1])

    def test_a_new_token_does_not_inherit_the_end_of_the_former_one(self):
        self.end_in(5)
        with self.open() as form:
            form.meta_capi_access_token = "EAAnew"
        form.record.execute()
        self.assertEqual(self.days(), (self.today, False))

    def test_a_new_token_gets_the_end_that_is_entered_with_it(self):
        self.end_in(5)
        with self.open() as form:
            form.meta_capi_access_token = "EAAnew"
            form.meta_capi_token_expires_on = self.in_days(90)
        form.record.execute()
        self.assertEqual(self.days(), (self.today, self.in_days(90)))

    def test_the_same_token_saved_again_keeps_its_end(self):
        self.end_in(5)
        with self.open() as form:
            form.meta_capi_access_token = self.token
        form.record.execute()
        self.assertEqual(self.days()[1], self.in_days(5))

    def test_saving_another_setting_keeps_the_end(self):
        self.end_in(5)
        with self.open() as form:
            form.meta_capi_value_includes_tax = False
        form.record.execute()
        self.assertEqual(self.days()[1], self.in_days(5))

    def test_the_end_of_a_token_that_is_removed_is_not_saved_as_that_of_another(self):
        own = {
            "meta_capi_access_token": "EAAown",
            "meta_capi_token_expires_on": self.in_days(7),
        }
        other = self.second_website()
        for button, context in (
            ("action_meta_capi_remove_token", {}),
            (
                "action_meta_capi_use_common",
                {"meta_capi_field": "meta_capi_access_token"},
            ),
        ):
            with self.subTest(button):
                other.write(own)
                settings = self.open(other).save()
                getattr(settings.with_context(**context), button)()
                settings.execute()
                self.assertFalse(self.days()[1])
                self.assertFalse(other.meta_capi_access_token)

    def test_the_end_is_kept_where_the_token_is(self):
        other = self.second_website(meta_capi_access_token="EAAown")
        third = self.second_website()
        with self.open(other) as form:
            form.meta_capi_token_expires_on = self.in_days(7)
        form.record.execute()
        self.assertEqual(other.meta_capi_token_expires_on, self.in_days(7))
        self.assertFalse(self.days()[1])
        with self.open(third) as form:
            form.meta_capi_token_expires_on = self.in_days(9)
        form.record.execute()
        self.assertFalse(third.meta_capi_token_expires_on)
        self.assertEqual(self.days()[1], self.in_days(9))


@tagged("post_install", "-at_install")
class TestTokenAlert(TokenCase):
    def test_it_is_told_14_and_3_days_before_the_end(self):
        for days, count in ((15, 0), (14, 1), (4, 1), (3, 1), (-1, 1)):
            with self.subTest(days=days):
                self.end_in(days)
                self.look()
                self.assertEqual(len(self.activities(TOKEN_END)), count)
        self.assertEqual(self.activities(TOKEN_END).date_deadline, self.in_days(-1))

    def test_each_time_once_also_if_it_is_ticked_off(self):
        self.end_in(10)
        self.look()
        self.activities(TOKEN_END).unlink()
        self.look()
        self.assertFalse(self.activities(TOKEN_END))
        later = self.in_days(8)
        self.patch(fields.Date, "today", staticmethod(lambda *_args: later))
        self.look()
        self.assertTrue(self.activities(TOKEN_END))
        self.activities(TOKEN_END).unlink()
        self.look()
        self.assertFalse(self.activities(TOKEN_END))

    def test_it_closes_itself_with_a_new_token(self):
        self.end_in(3)
        self.look()
        self.assertTrue(self.activities(TOKEN_END))
        self.parameters.set_param("meta_capi.access_token", "EAAnew")
        self.look()
        self.assertFalse(self.activities(TOKEN_END))

    def test_it_closes_itself_with_a_later_end(self):
        self.end_in(3)
        self.look()
        self.end_in(60)
        self.look()
        self.assertFalse(self.activities(TOKEN_END))

    def test_a_token_of_several_pixels_is_told_of_once(self):
        self.parameters.set_param("meta_capi.extra_pixel_ids", "111,222")
        for pixel_id in ("111", "222"):
            self.env["meta.capi.pixel"]._get(pixel_id)
        self.end_in(3)
        self.look()
        self.assertEqual(len(self.activities(TOKEN_END)), 1)

    def test_each_website_is_told_of_its_own_token(self):
        self.second_website(
            meta_capi_pixel_id="222",
            meta_capi_access_token="EAAown",
            meta_capi_token_expires_on=self.in_days(3),
        )
        pixel = self.env["meta.capi.pixel"]._get("222")
        self.look()
        self.assertEqual(self.activities(TOKEN_END).res_id, pixel.id)

    def test_without_a_token_nothing_is_told(self):
        self.end_in(3)
        self.parameters.search([("key", "=", "meta_capi.access_token")]).unlink()
        self.look()
        self.assertFalse(self.activities(TOKEN_END))
