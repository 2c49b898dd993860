from datetime import date, timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from ..dev import sandbox
from ..models.admin import meta_capi_health as health
from .common import MetaCapiCase


@tagged("post_install", "-at_install")
class TestSettingsHealth(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env,
            "the-boss",
            groups="base.group_system,website.group_website_designer",
        )

    def settings(self):
        return Form(self.env["res.config.settings"].with_user(self.admin))

    def health(self):
        self.env.flush_all()
        self.env.invalidate_all()
        return self.settings().meta_capi_health

    # ------------------------------------------------------------- the API's version

    def test_metas_warning_of_the_versions_end_is_kept_and_shown(self):
        words = "The call has been auto-upgraded to v27.0"
        warning = sandbox.with_headers({"x-ad-api-version-warning": words})
        self.assertNotIn("version of its API ends", self.health())
        self.graph.fail_next(warning)
        self.record()
        self.deliver()
        pixel = self.env["meta.capi.pixel"]._get(self.pixel_id)
        self.assertEqual(pixel.version_warning, words)
        self.assertIn(words, self.health())
        self.shift("version_warned_at", 25 * 3600, table="meta_capi_pixel")
        before = pixel.version_warned_at
        self.graph.fail_next(warning)
        self.record(event_id="another")
        self.deliver()
        self.assertGreater(pixel.version_warned_at, before)

    def test_what_meta_does_not_repeat_is_forgotten_after_days(self):
        words = {"x-ad-api-version-warning": "It ends."}
        self.graph.fail_next(sandbox.with_headers(words))
        self.record()
        self.deliver()
        self.assertIn("It ends.", self.health())
        self.shift("version_warned_at", 3 * 24 * 3600, table="meta_capi_pixel")
        self.assertNotIn("It ends.", self.health())

    @mute_logger("meta.conversions.api")
    def test_that_meta_does_not_tell_the_quality_is_said_with_its_cure(self):
        fetch = self.env["meta.capi.quality.fetch"]
        for fault, is_told in (
            (sandbox.error(200), True),
            (sandbox.error(2), False),
            (sandbox.slow(0), False),
        ):
            self.graph.fail_next(fault)
            fetch._ask(self.pixel_id)
            self.assertEqual("Manage Pixel" in self.health(), is_told)

    # --------------------------------------------------------------------- the check

    def test_a_pixel_id_that_is_none_is_told_while_it_is_typed(self):
        form = self.settings()
        self.assertFalse(form.meta_capi_pixel_problem)
        form.meta_capi_pixel_id = "my shop"
        self.assertIn("digits", form.meta_capi_pixel_problem)
        form.meta_capi_pixel_id = " 1234567890 "
        self.assertFalse(form.meta_capi_pixel_problem)

    def test_a_test_code_that_is_none_of_metas_is_told_while_it_is_typed(self):
        form = self.settings()
        for code, told in (("TEST12345", False), ("test", True), ("TEST 1", True)):
            form.meta_capi_test_event_code = code
            self.assertEqual(bool(form.meta_capi_test_code_problem), told)

    def test_what_cannot_be_used_is_refused_by_the_name_of_its_field(self):
        for name, value, label in (
            ("meta_capi_pixel_id", "my shop", "Meta Pixel ID"),
            ("meta_capi_test_event_code", "TEST 1", "Test Event Code"),
            ("meta_capi_access_token", "EAAB two words", "Access Token"),
            ("meta_capi_access_token", "1234567890123", "Access Token"),
        ):
            with self.subTest(name=name, value=value):
                with self.assertRaisesRegex(ValidationError, f"^{label}: "):
                    with self.settings() as form:
                        form[name] = value
                    form.record.execute()

    def test_a_refused_token_is_not_quoted(self):
        with self.assertRaises(ValidationError) as caught:
            with self.settings() as form:
                form.meta_capi_access_token = "EAAB secret"
        self.assertNotIn("secret", str(caught.exception))

    # -------------------------------------------------------------------- the health

    @mute_logger("meta.conversions.api")
    def test_it_tells_of_each_pixel_how_it_does(self):
        self.assertIn(f"{self.pixel_id}</a>", self.health())
        self.assertIn("No event accepted yet", self.health())
        self.record()
        self.deliver()
        self.assertIn("Last event accepted", self.health())
        self.assertIn(f"events_manager2/list/pixel/{self.pixel_id}", self.health())
        self.graph.pixels = {}
        self.record(event_id="held")
        self.deliver()
        page = self.health()
        self.assertIn("Stopped.", page)
        self.assertIn("Access token not valid", page)
        self.assertIn("generate a new token", page)
        self.assertIn("1 event", page)

    def test_a_pixel_of_another_website_is_told_too(self):
        self.env["website"].create({"name": "Second", "meta_capi_pixel_id": "5550001"})
        self.assertIn("5550001</a>", self.health())

    def test_it_tells_whether_a_job_runner_works(self):
        self.assertNotIn("job runner", self.health())
        with patch.object(type(self.job), "_is_runner_absent", lambda *args: True):
            self.assertIn("No job runner", self.health())
            self.env.ref("ih_meta_conversions_api.ir_cron_sweep").active = False
            self.assertIn("Nothing delivers", self.health())
        self.assertIn("does not run", self.health())

    def test_the_last_job_that_was_done_tells_that_a_runner_works(self):
        self.env.cr.execute(
            "INSERT INTO queue_job (uuid, model_name, method_name, state, channel,"
            " date_created, date_done) VALUES ('x', 'meta.capi.delivery', '_deliver',"
            " 'done', 'root.meta_capi', %s, %s)",
            (fields.Datetime.now(), fields.Datetime.now() - timedelta(minutes=3)),
        )
        self.assertIn("last job ended 3 minutes ago", self.health())

    def test_it_warns_before_a_version_of_the_api_ends(self):
        self.assertIn("API version v26.0.", self.health())
        self.parameters.set_param("meta_capi.api_version", "v25.0")
        self.assertIn("good until 2028-07-29", self.health())
        self.parameters.set_param("meta_capi.api_version", "v20.0")
        self.assertIn("has retired API version v20.0", self.health())
        soon = date.today() + timedelta(days=89)
        with patch.object(health, "end_of_life", lambda version: soon):
            self.assertIn("Meta retires API version", self.health())

    def test_it_wonders_about_a_token_that_is_not_metas(self):
        self.assertNotIn("EAA", self.health())
        self.parameters.set_param("meta_capi.access_token", "cut-off")
        self.assertIn("begin with EAA", self.health())
        self.assertNotIn("cut-off", self.health())

    def test_it_tells_of_another_pixel_on_the_pages(self):
        self.website.custom_code_head = (
            f"<script>fbq('init', '{self.pixel_id}');</script>"
        )
        self.assertNotIn("loads the Pixel", self.health())
        self.website.custom_code_footer = '<script>fbq( "init", "777000777");</script>'
        self.assertIn("loads the Pixel 777000777", self.health())

    def test_it_tells_of_another_modules_pixel(self):
        self.parameters.set_param("meta_tracking.pixel_id", self.pixel_id)
        self.assertNotIn("loads the Pixel", self.health())
        self.parameters.set_param("meta_tracking.pixel_id", "888000888")
        self.assertIn("888000888", self.health())
