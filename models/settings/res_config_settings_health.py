import re
from datetime import date, timedelta

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ...capi import const
from ...capi.errors import InvalidParameter
from ...capi.versions import end_of_life
from ..outbox.meta_capi_pixel import EVENTS_MANAGER
from . import meta_capi_config as config

# What is checked before it is stored, so that the message can name the field.
_CHECKED = {
    "meta_capi_pixel_id": config.PIXEL_ID,
    "meta_capi_access_token": config.ACCESS_TOKEN,
    "meta_capi_app_secret": config.APP_SECRET,
    "meta_capi_test_event_code": config.TEST_EVENT_CODE,
    "meta_capi_extra_pixel_ids": config.EXTRA_PIXEL_IDS,
    "meta_capi_bridge_events": config.BRIDGE_EVENTS,
}
_TEST_CODE = re.compile(r"TEST\d+")
# Every token of Meta's begins so.
_TOKEN_PREFIX = "EAA"
# Days before its end in which a version of the API is a matter of warning.
_VERSION_NOTICE_DAYS = 90
# How a page loads a Pixel.
_PIXEL_ON_PAGE = re.compile(r"""fbq\(\s*['"]init['"]\s*,\s*['"](\d{5,})['"]""")


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    meta_capi_pixel_problem = fields.Char(
        "Problem of the Pixel ID", compute="_compute_meta_capi_problems"
    )
    meta_capi_test_code_problem = fields.Char(
        "Problem of the Test Event Code", compute="_compute_meta_capi_problems"
    )
    meta_capi_movable_count = fields.Integer(
        "Meta Events to Move", compute="_compute_meta_capi_health"
    )
    meta_capi_health = fields.Html(
        "Health of the Meta Conversions API",
        compute="_compute_meta_capi_health",
        sanitize=False,
        groups="base.group_system",
    )

    @api.depends("meta_capi_pixel_id", "meta_capi_test_event_code")
    def _compute_meta_capi_problems(self):
        for settings in self:
            code = (settings.meta_capi_test_event_code or "").strip()
            problem = self._meta_capi_problem("meta_capi_test_event_code", code)
            if code and not problem and not _TEST_CODE.fullmatch(code):
                problem = _("Meta's codes are TEST and a number, such as TEST12345.")
            settings.meta_capi_test_code_problem = problem
            settings.meta_capi_pixel_problem = self._meta_capi_problem(
                "meta_capi_pixel_id", settings.meta_capi_pixel_id
            )

    @api.model
    def _meta_capi_problem(self, field, value):
        """Return what is wrong with the value of a field, or False."""
        try:
            self.env["meta.capi.config"]._check(_CHECKED[field], value or "")
        except InvalidParameter as error:
            return error.reason
        return False

    def _meta_capi_check(self, *names):
        """Raise ``ValidationError`` that names the field, where a value is unusable."""
        for settings in self:
            for name in names:
                problem = self._meta_capi_problem(name, settings[name])
                if problem:
                    field = self._fields[name].get_description(self.env, ["string"])
                    raise ValidationError(
                        _(
                            "%(field)s: %(problem)s",
                            field=field["string"],
                            problem=problem,
                        )
                    )

    def _inverse_meta_capi_access_token(self):
        self._meta_capi_check("meta_capi_access_token")
        return super()._inverse_meta_capi_access_token()

    def _inverse_meta_capi_app_secret(self):
        self._meta_capi_check("meta_capi_app_secret")
        return super()._inverse_meta_capi_app_secret()

    def set_values(self):
        self._meta_capi_check(
            *("meta_capi_pixel_id", "meta_capi_test_event_code"),
            *("meta_capi_extra_pixel_ids", "meta_capi_bridge_events"),
        )
        return super().set_values()

    # ------------------------------------------------------------------- the health

    @api.depends("website_id")
    @api.depends_context("lang")
    def _compute_meta_capi_health(self):
        pixels = self.env["meta.capi.pixel"].with_context(active_test=False).search([])
        unused = pixels.filtered(lambda pixel: not pixel.active)
        for settings in self:
            settings.meta_capi_movable_count = sum(unused.mapped("movable_count"))
            lines = [
                settings._meta_capi_runner_line(),
                settings._meta_capi_version_line(),
                *settings._meta_capi_version_warnings(),
                *settings._meta_capi_website_lines(),
                *settings._meta_capi_moved_lines(),
                *settings._meta_capi_other_pixel_lines(),
                *settings._meta_capi_quality_lines(),
            ]
            settings.meta_capi_health = self.env["ir.qweb"]._render(
                "ih_meta_conversions_api.meta_capi_settings_health",
                {
                    "pixels": settings._meta_capi_pixel_rows(),
                    "lines": list(filter(None, lines)),
                },
            )

    def _meta_capi_pixel_rows(self):
        """Tell of each pixel that events go to how it does."""
        capi_config = self.env["meta.capi.config"]
        ids = dict.fromkeys(
            pixel_id
            for website in self.env["website"].sudo().search([])
            for pixel_id in (
                capi_config._pixel_id(website),
                *capi_config._extra_pixel_ids(website),
            )
            if pixel_id
        )
        known = {
            pixel.pixel_id: pixel
            for pixel in self.env["meta.capi.pixel"].search(
                [("pixel_id", "in", list(ids))]
            )
        }
        causes = self.env["meta.capi.cause"]
        rows = []
        for pixel_id in ids:
            pixel = known.get(pixel_id, self.env["meta.capi.pixel"])
            success = pixel.last_success_at
            rows.append(
                {
                    "pixel_id": pixel_id,
                    "websites": self.meta_capi_many_websites
                    and ", ".join(capi_config._websites_of(pixel_id).mapped("name")),
                    "url": EVENTS_MANAGER.format(pixel_id),
                    "stopped": pixel.state == "stopped",
                    "cause": causes._label(pixel.cause),
                    "cure": pixel.cure,
                    "waiting": pixel.pending_count,
                    "success": success and self.env["meta.capi.event"]._age_of(success),
                }
            )
        return rows

    def _meta_capi_runner_line(self):
        """Tell whether jobs are run, by what became of the last ones."""
        delivery = self.env["meta.capi.delivery"].sudo()
        pixels = self.env["meta.capi.pixel"].search([]).mapped("pixel_id")
        pixels += filter(None, [self.env["meta.capi.config"]._pixel_id()])
        cron = self.env.ref(
            "ih_meta_conversions_api.ir_cron_sweep", raise_if_not_found=False
        )
        now = fields.Datetime.now()
        sweeps = (
            cron
            and cron.sudo().active
            and cron.sudo().nextcall > now - timedelta(minutes=30)
        )
        if any(map(delivery._is_runner_absent, set(pixels))):
            if sweeps:
                return "warning", _(
                    "No job runner: our jobs wait. The scheduled action delivers instead,"
                    " every two minutes. See queue_job and the channel root.meta_capi in"
                    " Odoo's configuration file."
                )
            return "danger", _(
                "Nothing delivers: neither the job runner nor the scheduled action Meta"
                " Conversions API: deliver what no job delivers runs."
            )
        if not sweeps:
            return "warning", _(
                "The scheduled action Meta Conversions API: deliver what no job delivers"
                " does not run: retries and alerts need it."
            )
        done = (
            self.env["queue.job"]
            .sudo()
            .search(
                [
                    ("channel", "=", "root.meta_capi"),
                    ("state", "=", "done"),
                    ("date_done", ">", now - timedelta(days=1)),
                ],
                limit=1,
            )
        )
        if done:
            return "success", _(
                "The job runner works: its last job ended %s.",
                self.env["meta.capi.event"]._age_of(done.date_done),
            )
        return None

    def _meta_capi_version_line(self):
        version = self.env["meta.capi.config"]._get(
            config.API_VERSION, const.API_VERSION
        )
        end = end_of_life(version)
        if not end:
            return "muted", _("API version %s.", version)
        values = {"version": version, "date": fields.Date.to_string(end)}
        if end <= date.today():
            return "danger", _(
                "Meta has retired API version %(version)s on %(date)s. Delete the system"
                " parameter meta_capi.api_version: then the addon's own is used.",
                **values,
            )
        if end <= date.today() + timedelta(days=_VERSION_NOTICE_DAYS):
            return "warning", _(
                "Meta retires API version %(version)s on %(date)s. Delete the system"
                " parameter meta_capi.api_version, or update the addon.",
                **values,
            )
        return "muted", _("API version %(version)s, good until %(date)s.", **values)

    def _meta_capi_version_warnings(self):
        """Tell of what Meta says in its answers of the version that is used."""
        texts = self.env["meta.capi.pixel"].search([]).mapped("version_warning")
        for text in dict.fromkeys(filter(None, texts)):
            yield (
                "warning",
                _(
                    "Meta warns that the version of its API ends: %s Delete the system"
                    " parameter meta_capi.api_version, or update the app.",
                    text,
                ),
            )

    def _meta_capi_website_lines(self):
        """Tell what each website lacks, by its name where there are several."""
        capi_config = self.env["meta.capi.config"]
        for website in self.env["website"].sudo().search([]):
            name = f"{website.name}: " if self.meta_capi_many_websites else ""
            token = capi_config._get(config.ACCESS_TOKEN, website=website)
            if name and not capi_config._pixel_id(website):
                yield "warning", name + _("No pixel is set, so nothing is recorded.")
            elif name and not token:
                yield (
                    "danger",
                    name + _("No token is set: events are recorded and wait."),
                )
            if token and not token.startswith(_TOKEN_PREFIX):
                yield (
                    "warning",
                    name
                    + _(
                        "The access token does not begin with EAA, as Meta's do: was it"
                        " copied whole?"
                    ),
                )

    def _meta_capi_moved_lines(self):
        """Tell of what waits for pixels that no website sends to any more."""
        unused = self.env["meta.capi.pixel"].with_context(active_test=False).search([])
        for pixel in unused.filtered(lambda pixel: not pixel.active):
            if pixel.pending_count:
                yield (
                    "warning",
                    _(
                        "%(count)s events wait for pixel %(pixel)s, which no website sends to"
                        " any more.",
                        count=pixel.pending_count,
                        pixel=pixel.pixel_id,
                    ),
                )

    def action_meta_capi_move_events(self):
        """Move what was never sent to the pixels that its websites have now."""
        self._meta_capi_check_admin()
        pixels = self.env["meta.capi.pixel"].with_context(active_test=False).search([])
        unused = pixels.filtered(lambda pixel: not pixel.active)
        return self._meta_capi_stay_here(unused.action_move_events())

    def _meta_capi_other_pixel_lines(self):
        """Tell of Pixels in the shop's pages that are not those the events go to."""
        capi_config = self.env["meta.capi.config"]
        for website in self.env["website"].sudo().search([]):
            ours = {capi_config._pixel_id(website)} - {""}
            ours.update(capi_config._extra_pixel_ids(website))
            if not ours:
                continue
            for other in sorted(self._meta_capi_pixels_of_pages(website) - ours):
                yield (
                    "warning",
                    _(
                        "%(website)s loads the Pixel %(other)s, but its events go to %(ours)s."
                        " Meta recognises copies only within one pixel: use the same ID.",
                        website=website.name,
                        other=other,
                        ours=", ".join(sorted(ours)),
                    ),
                )

    def _meta_capi_quality_lines(self):
        """Tell why Meta does not tell what it thinks of the events: nothing is broken."""
        for pixel in self.env["meta.capi.pixel"].search(
            [("quality_problem", "not in", (False, "later"))]
        ):
            yield (
                "muted",
                _(
                    "Meta does not tell the match quality of pixel %(pixel)s: %(cure)s",
                    pixel=pixel.pixel_id,
                    cure=pixel.quality_cure,
                ),
            )

    @api.model
    def _meta_capi_pixels_of_pages(self, website):
        """Return the Pixels that other modules or pasted code load, as far as known."""
        code = f"{website.custom_code_head or ''} {website.custom_code_footer or ''}"
        found = set(_PIXEL_ON_PAGE.findall(code))
        values = [
            website[name]
            for name, field in website._fields.items()
            if "pixel" in name
            and not name.startswith("meta_capi")
            and field.type == "char"
        ]
        parameters = self.env["ir.config_parameter"].sudo()
        values += (
            parameters.search([("key", "like", "pixel_id")])
            .filtered(lambda parameter: not parameter.key.startswith("meta_capi."))
            .mapped("value")
        )
        return found | {
            value.strip() for value in values if value and value.strip().isdigit()
        }
