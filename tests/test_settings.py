from lxml import etree

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, new_test_user, tagged

from ..models.settings import setting
from .common import MetaCapiCase, stop_pixel

PARAMETERS = {
    "enabled": "meta_capi.enabled",
    "pixel": "meta_capi.pixel_id",
    "token": "meta_capi.access_token",
    "code": "meta_capi.test_event_code",
    "version": "meta_capi.api_version",
    "url": "meta_capi.graph_url",
}


@tagged("post_install", "-at_install")
class TestSettings(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env,
            "boss",
            groups="base.group_system,website.group_website_designer",
        )
        cls.automation = cls.env.ref("ih_meta_conversions_api.automation_purchase")

    def settings(self):
        """Open the settings as an administrator sees them."""
        return Form(self.env["res.config.settings"].with_user(self.admin))

    def save(self, **values):
        with self.settings() as form:
            for name, value in values.items():
                form[f"meta_capi_{name}"] = value
        form.record.execute()

    def value(self, name):
        return self.parameters.get_param(PARAMETERS[name])

    def pixel(self):
        return self.env["meta.capi.pixel"]._get(self.pixel_id)

    # --------------------------------------------------------------------- the box

    def test_the_box_saves_its_four_fields(self):
        self.save(
            enabled=True,
            pixel_id=" 1234567890 ",
            access_token=" a-new-token ",
            test_event_code=" TEST1 ",
        )
        self.assertEqual(self.value("enabled"), "True")
        self.assertEqual(self.value("pixel"), "1234567890")
        self.assertEqual(self.value("token"), "a-new-token")
        self.assertEqual(self.value("code"), "TEST1")
        form = self.settings()
        self.assertTrue(form.meta_capi_enabled)
        self.assertEqual(form.meta_capi_pixel_id, "1234567890")
        self.assertFalse(form.meta_capi_access_token)
        self.assertTrue(form.meta_capi_access_token_set)
        self.assertEqual(form.meta_capi_test_event_code, "TEST1")

    def test_saving_without_a_token_keeps_the_one_there_is(self):
        self.save(pixel_id="1234567890")
        self.assertEqual(self.value("token"), self.token)

    def test_emptied_fields_are_emptied(self):
        self.save(test_event_code="TEST1")
        self.save(test_event_code=False)
        self.assertFalse(self.value("code"))
        self.save(pixel_id=False)
        self.assertFalse(self.value("pixel"))

    def test_switched_off_in_the_box_nothing_is_recorded(self):
        self.save(enabled=False)
        self.assertEqual(self.value("enabled"), "False")
        self.assertFalse(self.record())
        self.save(enabled=True)
        self.assertTrue(self.record())

    def test_the_box_shows_what_is_in_force(self):
        for value, expected in {
            "True": True,
            "true": True,
            "1": True,
            " True ": True,
            "False": False,
            "yes": False,
            "on": False,
            "0": False,
            "TRUE": False,
        }.items():
            with self.subTest(value=value):
                self.parameters.set_param(PARAMETERS["enabled"], value)
                self.assertEqual(self.settings().meta_capi_enabled, expected)
                self.assertEqual(bool(self.record()), expected)
        self.parameters.search([("key", "=", PARAMETERS["enabled"])]).unlink()
        self.assertFalse(self.settings().meta_capi_enabled)
        self.assertFalse(self.record())

    def test_the_box_refuses_what_cannot_work(self):
        with self.assertRaisesRegex(ValidationError, "Meta Pixel ID"):
            self.save(pixel_id="my shop")
        self.assertEqual(self.value("pixel"), self.pixel_id)

    def test_the_box_chooses_when_a_purchase_is_sent(self):
        for trigger in (
            *("confirmed", "never", "paid", "invoiced", "delivered"),
            "confirmed",
        ):
            self.save(purchase_trigger=trigger)
            self.assertEqual(self.automation.active, trigger == "confirmed")
            self.assertEqual(self.settings().meta_capi_purchase_trigger, trigger)

    def test_the_box_leads_to_the_points_of_sale_where_there_are_any(self):
        settings = self.env["res.config.settings"].create({})
        has_any = "pos.config" in self.env
        self.assertEqual(settings.meta_capi_has_counter, has_any)
        action = settings.action_meta_capi_open_stores()
        self.assertEqual(bool(self.env[action["res_model"]].search([])), has_any)
        visitor = settings.with_user(self.env.ref("base.public_user"))
        with self.assertRaises(AccessError):
            visitor.action_meta_capi_open_stores()

    def test_only_an_administrator_sees_the_box(self):
        designer = new_test_user(
            self.env, "designer", groups="website.group_website_designer"
        )
        settings = self.env["res.config.settings"]
        self.assertIn("meta_capi", settings.with_user(self.admin).get_view()["arch"])
        # Not even where another module lets designers into the settings.
        self.env["ir.model.access"].create(
            {
                "name": "Designers see settings",
                "model_id": self.env["ir.model"]._get("res.config.settings").id,
                "group_id": self.env.ref("website.group_website_designer").id,
                "perm_read": True,
                "perm_write": True,
                "perm_create": True,
            }
        )
        settings = settings.with_user(designer)
        self.assertNotIn("meta_capi", settings.get_view()["arch"])
        view = self.env.ref("ih_meta_conversions_api.res_config_settings_view_form")
        (box,) = etree.fromstring(view.arch).xpath("//setting[@id='meta_capi_setting']")
        self.assertEqual(box.get("groups"), "base.group_system")
        with self.assertRaises(AccessError):
            settings.create({"meta_capi_access_token": "stolen"})
        with self.assertRaises(AccessError):
            settings.create({"meta_capi_enabled": False}).execute()
        self.assertEqual(self.value("token"), self.token)

    # ------------------------------------------------- parameters edited directly

    def test_a_parameter_edited_directly_is_stripped(self):
        for name, value in {"pixel": "123456", "token": "tok", "code": "TEST1"}.items():
            self.parameters.set_param(PARAMETERS[name], f"\t {value} \n")
            self.assertEqual(self.value(name), value)
            parameter = self.parameters.search([("key", "=", PARAMETERS[name])])
            parameter.value = f" {value}1 "
            self.assertEqual(parameter.value, f"{value}1")

    def test_a_parameter_that_cannot_work_is_refused_by_name(self):
        for key, values in {
            "meta_capi.pixel_id": ["shop", "12 34", "-5", "1.5", "１２３", "0x10"],
            "meta_capi.access_token": [
                "two words",
                "Bearer two words",
                "1234567890",
                "t\u00f6ken",
            ],
            "meta_capi.graph_url": [
                "http://graph.facebook.com",
                "http://127.0.0.1.example.com",
                "http://localhost@example.com",
                "ftp://graph.facebook.com",
                "graph.facebook.com",
                "https://",
            ],
            "meta_capi.api_version": ["26", "26.0", "latest", "v26.0/me", "../v26.0"],
            "meta_capi.batch_delay": ["soon", "1.5", "5 s"],
            "meta_capi.retention_days": ["never", "0.5"],
        }.items():
            self.parameters.search([("key", "=", key)]).unlink()
            for value in values:
                with self.subTest(key=key, value=value):
                    with self.assertRaisesRegex(ValidationError, key):
                        self.parameters.set_param(key, value)
                    with self.assertRaisesRegex(ValidationError, key):
                        self.parameters.create({"key": key, "value": value})
                    other = self.parameters.create({"key": "other", "value": value})
                    with self.assertRaisesRegex(ValidationError, key):
                        other.key = key
                    other.invalidate_recordset()
                    other.unlink()

    def test_a_parameter_that_works_is_taken(self):
        for key, values in {
            "meta_capi.graph_url": [
                "https://graph.example.com",
                "http://127.0.0.1:8080",
                "http://localhost:8080",
                "http://[::1]:8080",
            ],
            "meta_capi.api_version": ["v26.0", "v9.0", "v100.0"],
            "meta_capi.batch_delay": ["0", "60"],
            "meta_capi.retention_days": ["-1", "365"],
        }.items():
            for value in values:
                self.parameters.set_param(key, value)
                self.assertEqual(self.parameters.get_param(key), value)

    def test_parameters_of_others_are_left_alone(self):
        self.parameters.set_param("other.pixel_id", " not digits ")
        self.assertEqual(self.parameters.get_param("other.pixel_id"), " not digits ")

    def test_any_change_of_the_connection_releases_a_stopped_pixel(self):
        for name, value in {
            "enabled": "true",
            "pixel": "1234567890",
            "token": "another-token",
            "code": "TEST1",
            "version": "v25.0",
            "url": "http://localhost:9",
        }.items():
            with self.subTest(name=name):
                stop_pixel(self.pixel())
                self.assertEqual(self.pixel().state, "stopped")
                self.parameters.set_param(PARAMETERS[name], value)
                self.assertEqual(self.pixel().state, "running")
        for name in ("code", "version", "url"):
            with self.subTest(removed=name):
                stop_pixel(self.pixel())
                self.parameters.set_param(PARAMETERS[name], False)
                self.assertEqual(self.pixel().state, "running")

    def test_a_new_app_secret_releases_a_stopped_pixel(self):
        self.pixel().state = "stopped"
        self.parameters.set_param("meta_capi.app_secret", "0123456789abcdef")
        self.assertEqual(self.pixel().state, "running")

    def test_what_has_nothing_to_do_with_the_connection_releases_nothing(self):
        stop_pixel(self.pixel())
        self.parameters.set_param("meta_capi.batch_delay", "7")
        self.parameters.set_param("other.key", "7")
        self.website.name = "Renamed"
        self.assertEqual(self.pixel().state, "stopped")

    def test_a_new_token_in_the_box_or_of_a_website_releases_a_stopped_pixel(self):
        stop_pixel(self.pixel())
        self.save(access_token="another-token")
        self.assertEqual(self.pixel().state, "running")
        stop_pixel(self.pixel())
        self.website.meta_capi_access_token = "yet-another-token"
        self.assertEqual(self.pixel().state, "running")

    def test_saving_the_box_unchanged_releases_nothing(self):
        self.save(enabled=True)
        stop_pixel(self.pixel())
        self.save()
        self.assertEqual(self.pixel().state, "stopped")

    def test_a_parameter_that_cannot_be_read_falls_back_to_its_default(self):
        self.parameters.set_param("meta_capi.batch_delay", "7")
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE ir_config_parameter SET value = 'soon'"
            " WHERE key = 'meta_capi.batch_delay'"
        )
        self.env.registry.clear_all_caches()
        self.assertEqual(self.env["meta.capi.config"]._get(setting.BATCH_DELAY), 5)

    # ------------------------------------------------------------------- a website

    def test_a_website_overrides_pixel_token_and_test_code(self):
        own = self.website.copy({"domain": False})
        own.write(
            {
                "meta_capi_pixel_id": " 20001 ",
                "meta_capi_access_token": " own-token ",
                "meta_capi_test_event_code": " OWN ",
            }
        )
        self.parameters.set_param(PARAMETERS["code"], "SHARED")
        event = self.record(website=own)
        self.assertEqual((event.pixel_id, event.test_event_code), ("20001", "OWN"))
        self.assertEqual(event.website_id, own)
        event = self.record(website=self.website)
        self.assertEqual(event.pixel_id, self.pixel_id)
        self.assertEqual(event.test_event_code, "SHARED")
        order = self.order(website_id=own.id)
        self.assertEqual(self.record(origin=order).pixel_id, "20001")
        config = self.env["meta.capi.config"]
        self.assertEqual(config._access_token("20001"), "own-token")
        self.assertEqual(config._access_token(self.pixel_id), self.token)
        own.meta_capi_access_token = False
        self.assertEqual(config._access_token("20001"), self.token)
        self.assertFalse(config._access_token("30001"))

    def test_a_website_refuses_what_cannot_work(self):
        for field in ("meta_capi_pixel_id", "meta_capi_access_token"):
            with self.assertRaises(ValidationError):
                self.website[field] = "two words"

    def test_a_website_with_a_pixel_records_without_a_shared_one(self):
        self.website.meta_capi_pixel_id = "20001"
        self.parameters.set_param(PARAMETERS["pixel"], False)
        self.assertEqual(self.record(website=self.website).pixel_id, "20001")

    # ----------------------------------------------------------- what an event keeps

    def test_an_event_keeps_the_pixel_and_test_code_it_was_recorded_with(self):
        self.parameters.set_param(PARAMETERS["code"], "TEST1")
        event = self.record()
        own = self.record(test_event_code=" MINE ")
        self.parameters.set_param(PARAMETERS["code"], "TEST2")
        self.parameters.set_param(PARAMETERS["token"], self.token)
        self.deliver()
        self.assertEqual((event.state, own.state), ("sent", "sent"))
        self.assertEqual(event.test_event_code, "TEST1")
        self.assertEqual(own.test_event_code, "MINE")
        self.assertEqual(
            {request.test_event_code for request in self.graph.events},
            {"TEST1", "MINE"},
        )
        self.parameters.set_param(PARAMETERS["pixel"], "1234567890")
        self.assertEqual(event.pixel_id, self.pixel_id)

    def test_the_token_is_looked_up_when_the_event_is_sent(self):
        self.parameters.set_param(PARAMETERS["token"], False)
        event = self.record()
        self.deliver()
        self.assertEqual((event.state, self.pixel().state), ("pending", "stopped"))
        self.parameters.set_param(PARAMETERS["token"], self.token)
        self.deliver()
        self.assertEqual(event.state, "sent")
