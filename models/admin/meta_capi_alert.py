from datetime import datetime, time, timedelta

from odoo import _, api, fields, models
from odoo.tools import SQL
from odoo.tools.misc import format_date

from ..common.border import log_error
from ..common.managers import Managers

# Minutes an event may wait, while its pixel runs, before somebody is told.
STUCK_MINUTES = 60
# Minutes after its confirmation in which an order is given time.
_GRACE_MINUTES = 60
# Days back to which an activity about missing Purchases is followed.
_FOLLOWED_DAYS = 7
_MAX_NAMES = 10
_MODULE = "ih_meta_conversions_api"
STUCK = f"{_MODULE}.mail_activity_type_stuck"
MISSING = f"{_MODULE}.mail_activity_type_missing"
TOKEN_END = f"{_MODULE}.mail_activity_type_token_end"
# Days before the end of a token on which managers are told.
_TOKEN_NOTICES = (14, 3)


class MetaCapiAlert(models.AbstractModel):
    """What managers are told of without looking: each thing once, until it is over.

    What was told is kept with the pixel, not with the activities: one that a person has
    ticked off does not come again.
    """

    _name = "meta.capi.alert"
    _description = "Activities for who manages the events for Meta"

    @api.model
    def _look_after_all(self):
        """Make the activities that are due, and take away those whose cause is gone."""
        for look_after in self._lookouts():
            try:
                with self.env.cr.savepoint():
                    look_after()
            except Exception as error:
                # The border: one notice must not be in the way of another.
                log_error("The managers could not be told what is wrong", error)

    @api.model
    def _lookouts(self):
        """Return what there is to look after, as functions without parameters."""
        pixels = self.env["meta.capi.pixel"]
        return [
            pixels._archive_unused,
            lambda: pixels.search([])._look_after_stop(),
            lambda: self._look_after_stuck(pixels.search([])),
            lambda: self._look_after_missing(pixels.search([])),
            lambda: self._look_after_tokens(pixels.search([])),
            lambda: self.env["meta.capi.quality.alert"]._look_after(
                pixels._all().search([])
            ),
        ]

    @api.model
    def _look_after_stuck(self, pixels):
        # Retried by hand, an old event is given its time anew.
        limit = fields.Datetime.now() - timedelta(minutes=STUCK_MINUTES)
        self.env.cr.execute(
            SQL(
                """
                SELECT event.pixel_id, min(event.create_date)
                  FROM meta_capi_event event
                  JOIN meta_capi_pixel pixel USING (pixel_id)
                 WHERE event.state = 'pending' AND pixel.state = 'running'
                   AND event.create_date < %s
                   AND (event.attempt_count > 0 OR event.next_attempt_at < %s)
                 GROUP BY event.pixel_id
                """,
                limit,
                limit,
            )
        )
        stuck = dict(self.env.cr.fetchall())
        told = pixels.filtered("is_stuck_told")
        over = told.filtered(lambda pixel: pixel.pixel_id not in stuck)
        Managers(self.env).unlink_activities(over, STUCK)
        over.is_stuck_told = False
        for pixel in (pixels - told).filtered(lambda pixel: pixel.pixel_id in stuck):
            pixel.is_stuck_told = True
            Managers(self.env).notify(
                pixel,
                _(
                    "Events for pixel %s wait for more than an hour",
                    pixel.display_name,
                ),
                pixel.cure or pixel.error_message or "",
                activity_type=STUCK,
            )

    @api.model
    def _look_after_missing(self, pixels):
        """Tell of days on which orders have no Purchase though one was to be sent."""
        reconciliation = self.env["meta.capi.reconciliation"]
        open_activities = Managers(self.env).activities(pixels, MISSING)
        if not reconciliation._is_armed():
            open_activities.unlink()
            return
        today = fields.Date.today()
        yesterday = today - timedelta(days=1)
        days = [yesterday, *open_activities.mapped("date_deadline")]
        first = max(min(days), today - timedelta(days=_FOLLOWED_DAYS))
        found = self._find_missing(
            datetime.combine(first, time()),
            fields.Datetime.now() - timedelta(minutes=_GRACE_MINUTES),
        )
        open_activities.filtered(
            lambda activity: (activity.res_id, activity.date_deadline) not in found
        ).unlink()
        for (pixel_id, day), orders in sorted(found.items()):
            pixel = self.env["meta.capi.pixel"].browse(pixel_id)
            if day < yesterday or (
                pixel.missing_told_day and day <= pixel.missing_told_day
            ):
                continue
            pixel.missing_told_day = day
            names = ", ".join(orders[:_MAX_NAMES].mapped("name"))
            Managers(self.env).notify(
                pixel,
                _(
                    "Orders of %(day)s without a Purchase at Meta: %(count)s",
                    count=len(orders),
                    day=format_date(self.env, day),
                ),
                _(
                    "%s. Website ▸ Reporting ▸ Meta Events ▸ Overview shows them all.",
                    names + ("…" if len(orders) > _MAX_NAMES else ""),
                ),
                activity_type=MISSING,
                deadline=day,
            )

    @api.model
    def _find_missing(self, since, until):
        """Return the orders without a Purchase, by the ids of pixels and by days."""
        config = self.env["meta.capi.config"]
        by_day = self.env["meta.capi.reconciliation"]._by_day(since, until)
        found = {}
        for day, statuses in by_day.items():
            missing = self.env["sale.order"].browse(statuses.get("missing", ()))
            for website, orders in missing.grouped("website_id").items():
                pixel_id = config._pixel_id(website)
                if pixel_id:
                    key = self.env["meta.capi.pixel"]._get(pixel_id).id, day
                    found[key] = found.get(key, orders.browse()) | orders
        return found

    @api.model
    def _look_after_tokens(self, pixels):
        """Tell twice of each token that is about to end, until there is a new one.

        One that several pixels are sent to with is told of once.
        """
        managers, today = Managers(self.env), fields.Date.today()
        told_of = set()
        for pixel in pixels:
            end, website = self.env["meta.capi.token"]._end_for(pixel.pixel_id)
            stages = [
                days for days in _TOKEN_NOTICES if end and (end - today).days <= days
            ]
            notice = (
                f"{end} {min(stages)}" if stages and website not in told_of else False
            )
            told_of.add(website)
            if pixel.token_end_told == notice:
                continue
            managers.unlink_activities(pixel, TOKEN_END)
            pixel.token_end_told = notice
            if notice:
                managers.notify(
                    pixel,
                    _(
                        "The access token for Meta ends on %s",
                        format_date(self.env, end),
                    ),
                    _(
                        "From then on Meta takes no events of pixel %s, and they wait. In"
                        " Meta's Business Settings generate a new token, paste it in"
                        " Website ▸ Configuration ▸ Settings, and enter when it ends.",
                        pixel.display_name,
                    ),
                    activity_type=TOKEN_END,
                    deadline=end,
                )
