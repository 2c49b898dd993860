import re
import time
from datetime import date, timedelta

from odoo import _, api, fields, models

from ...capi.versions import end_of_life
from ..common.age import age_of
from ..outbox.cause_words import CauseWords
from ..outbox.meta_capi_pixel import EVENTS_MANAGER
from ..settings import setting
from .dashboard_words import DashboardWords

# Every token of Meta's begins so.
_TOKEN_PREFIX = "EAA"
# Days before its end in which a version of the API is a matter of warning.
_VERSION_NOTICE_DAYS = 90
# How a page loads a Pixel.
_PIXEL_ON_PAGE = re.compile(r"""fbq\(\s*['"]init['"]\s*,\s*['"](\d{5,})['"]""")


class MetaCapiHealth(models.AbstractModel):
    """What the settings page tells of delivery and of what a website lacks."""

    _name = "meta.capi.health"
    _description = "Health of the Meta Conversions API"

    @api.model
    def _render(self, tells_websites):
        """Return what there is to tell as HTML.

        :param tells_websites: whether each line names its website
        """
        lines = [
            self._runner_line(),
            self._version_line(),
            *self._version_warnings(),
            *self._website_lines(tells_websites),
            *self._moved_lines(),
            *self._other_pixel_lines(),
            *self._quality_lines(),
            *self._past_lines(),
        ]
        return self.env["ir.qweb"]._render(
            "ih_meta_conversions_api.meta_capi_settings_health",
            {
                "pixels": self._pixel_rows(tells_websites),
                "lines": list(filter(None, lines)),
            },
        )

    @api.model
    def _pixel_rows(self, tells_websites):
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
        words = CauseWords(self.env)
        rows = []
        for pixel_id in ids:
            pixel = known.get(pixel_id, self.env["meta.capi.pixel"])
            success = pixel.last_success_at
            rows.append(
                {
                    "pixel_id": pixel_id,
                    "websites": tells_websites
                    and ", ".join(capi_config._websites_of(pixel_id).mapped("name")),
                    "url": EVENTS_MANAGER.format(pixel_id),
                    "stopped": pixel.state == "stopped",
                    "cause": words.label(pixel.cause),
                    "cure": pixel.cure,
                    "pending": pixel.pending_count
                    and DashboardWords(self.env).some_events(pixel.pending_count),
                    "success": success and DashboardWords(self.env).ago(success),
                }
            )
        return rows

    @api.model
    def _runner_line(self):
        """Tell whether jobs are run, by what became of the last ones."""
        jobs = self.env["meta.capi.job"].sudo()
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
        if any(map(jobs._is_runner_absent, set(pixels))):
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
                age_of(self.env, done.date_done),
            )
        return None

    @api.model
    def _version_line(self):
        version = self.env["meta.capi.config"]._get(setting.API_VERSION)
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

    @api.model
    def _version_warnings(self):
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

    @api.model
    def _website_lines(self, tells_websites):
        """Tell what each website lacks, by its name where there are several."""
        capi_config = self.env["meta.capi.config"]
        for website in self.env["website"].sudo().search([]):
            name = f"{website.name}: " if tells_websites else ""
            token = capi_config._get(setting.ACCESS_TOKEN, website)
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

    @api.model
    def _moved_lines(self):
        """Tell of what waits for pixels that no website sends to any more."""
        for pixel in self.env["meta.capi.pixel"]._unused():
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

    @api.model
    def _other_pixel_lines(self):
        """Tell of Pixels in the shop's pages that are not those the events go to."""
        capi_config = self.env["meta.capi.config"]
        for website in self.env["website"].sudo().search([]):
            ours = {capi_config._pixel_id(website)} - {""}
            ours.update(capi_config._extra_pixel_ids(website))
            if not ours:
                continue
            for other in sorted(self._pixels_of_pages(website) - ours):
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

    @api.model
    def _quality_lines(self):
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
    def _past_lines(self):
        """Tell once that what was sold before can be sent, where there is something."""
        websites = self.env["website"].sudo().search([])
        connected = websites.filtered(self._is_connected)
        if not connected or self.env["meta.capi.backfill"].sudo().search([], limit=1):
            return
        orders = self.env["sale.order"].sudo()
        (source, *_others) = self.env["meta.capi.backfill"]._sources()
        since = source.opens_at(time.time())
        domain = [
            *orders._meta_capi_sold_since(since, connected),
            ("meta_capi_purchase_recorded_at", "=", False),
        ]
        if orders.search(domain, limit=1):
            yield (
                "info",
                _(
                    "Meta takes the orders of the last 7 days, too: see Send Earlier"
                    " Orders."
                ),
            )

    @api.model
    def _is_connected(self, website):
        config = self.env["meta.capi.config"]
        pixel_id = config._is_enabled() and config._pixel_id(website)
        return bool(pixel_id and config._access_token(pixel_id))

    @api.model
    def _pixels_of_pages(self, website):
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
