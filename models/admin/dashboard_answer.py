from datetime import timedelta

from odoo import _

from ..common.managers import MANAGER
from ..common.standard_events import PURCHASE
from ..outbox.cause_words import CauseWords
from .dashboard_steps import DashboardSteps
from .dashboard_words import DashboardWords

# Minutes an event may wait before it is worth a word.
_SOON_MINUTES = 5
# What a person mends at Meta and in the settings; of the rest Meta's ban, and refusals
# without a reason, may be over at any time.
_OVER_BY_ITSELF = ("blocked", "no_reason")


class DashboardAnswer(DashboardWords):
    """The answer in one line, what cures it, and what else does not work."""

    # --------------------------------------------------------------------- the answer

    def answer(self, facts):
        """Return what matters most, as a line, and the one button that cures it."""
        for find in (
            self._answer_off,
            self._answer_unconfigured,
            self._answer_stopped,
            self._answer_waiting,
            self._answer_failed,
            self._answer_missing,
            self._answer_never,
        ):
            answer = find(facts)
            if answer:
                return {"detail": None, "button": None, "more": None, **answer}
        return {"button": None, "more": None, **self._answer_good(facts)}

    def _answer_off(self, facts):
        if self.env["meta.capi.config"]._is_enabled():
            return None
        return {
            "level": "warning",
            "text": _("Nothing is sent: the Meta Conversions API is switched off"),
            "detail": _("Nothing is recorded, and what is pending waits."),
            "button": self.settings_button(),
        }

    def _answer_unconfigured(self, facts):
        config = self.env["meta.capi.config"]
        if any(map(config._pixel_id, facts.websites)):
            return None
        return {
            "level": "warning",
            "text": _("Nothing is sent: no pixel is set"),
            "detail": _("Nothing is recorded without a pixel ID."),
            "button": self.settings_button(),
        }

    def _stopped_pixels(self, facts):
        """Return the pixels on hold, those without use as long as something waits."""
        pixels = facts.pixel or self.env["meta.capi.pixel"]._all().search([])
        if facts.website and not facts.pixel:
            wanted = {
                *self.env["meta.capi.config"]._pixel_ids(facts.website),
                *facts.pending,
            }
            pixels = pixels.filtered(lambda pixel: pixel.pixel_id in wanted)
        stopped = pixels.filtered(
            lambda pixel: (
                pixel.state == "stopped"
                and (pixel.active or pixel.pixel_id in facts.pending)
            )
        )
        # One that is used comes before one that is not.
        return stopped.sorted("active", reverse=True)

    def _answer_stopped(self, facts):
        stopped = self._stopped_pixels(facts)
        if not stopped:
            return None
        pixel = stopped[0]
        sentence = self._stop_sentences().get(pixel.cause)
        used = self.env["meta.capi.pixel"]._pixel_ids_in_use()
        if sentence and used <= set(stopped.mapped("pixel_id")):
            text = _("Nothing is sent: %s", sentence)
        elif sentence:
            text = _(
                "Nothing is sent to %(pixel)s: %(reason)s",
                pixel=pixel.display_name,
                reason=sentence,
            )
        else:
            text = _("Nothing is sent to %s", pixel.display_name)
        count = sum(
            facts.pending.get(pixel_id, (0, None))[0]
            for pixel_id in stopped.mapped("pixel_id")
        )
        return {
            "level": "danger",
            "text": text,
            "detail": _(
                "%(events)s on hold; nothing is lost. %(cure)s",
                events=self.some_events(count),
                cure=pixel.cure or "",
            ),
            "button": self._cure_button(pixel),
        }

    def _cure_button(self, pixel):
        """Return the button that cures what stops a pixel, for those who may press it."""
        is_manager = self.env.user.has_group(MANAGER)
        if pixel.cause == "unused":
            return {
                "text": _("Open the pixel"),
                "record": ["meta.capi.pixel", pixel.id],
            }
        if pixel.cause in _OVER_BY_ITSELF and is_manager:
            return {
                "text": _("Try Again"),
                "call": ["meta.capi.pixel", "action_try_again", pixel.ids],
            }
        return self.settings_button()

    def _stop_sentences(self):
        return {
            "token_expired": _("the access token expired"),
            "token": _("the access token is not valid"),
            "no_token": _("no access token is set"),
            "unused": _("no website uses this pixel any more"),
            "signature": _("Meta wants requests signed with the app's secret"),
            "permission": _("the access token may not send to the pixel"),
            "blocked": _("Meta has blocked the account or the app"),
            "pixel_id": _("Meta does not know the pixel"),
            "version": _("Meta has retired the API version"),
            "setting": _("a setting cannot be used"),
            "no_reason": _("Meta refuses without a reason"),
        }

    def _answer_waiting(self, facts):
        """Tell of what has been pending for longer than a delivery takes."""
        waiting = {
            pixel_id: (count, since)
            for pixel_id, (count, since) in facts.pending.items()
            if since <= facts.now - timedelta(minutes=_SOON_MINUTES)
        }
        if not waiting:
            return None
        pixel_id, (_count, since) = min(waiting.items(), key=lambda row: row[1][1])
        duration = self.duration(facts.now - since)
        count = sum(count for count, _since in waiting.values())
        if count == 1:
            text = _("1 event has been pending for %s", duration)
        else:
            text = _(
                "%(count)s events have been pending for %(duration)s",
                count=self.number(count),
                duration=duration,
            )
        cause = self._cause_of_waiting(facts, pixel_id)
        sentence = self._wait_sentences().get(cause)
        return {
            "level": "warning",
            "text": f"{text}: {sentence}" if sentence else text,
            "detail": CauseWords(self.env).cure(cause) or None,
            "button": self.log_button(
                _("Show pending events"), [*facts.domain, ("state", "=", "pending")]
            ),
        }

    def _cause_of_waiting(self, facts, pixel_id):
        """Return what keeps the oldest event of a pixel from being sent."""
        pending = [("state", "=", "pending"), ("pixel_id", "=", pixel_id)]
        oldest = self.env["meta.capi.event"].search(
            [*facts.domain, *pending], order="event_time, id", limit=1
        )
        pixels = self.env["meta.capi.pixel"]._all()
        pixel = pixels.search([("pixel_id", "=", pixel_id)])
        return oldest._cause_of_waiting(pixel) or pixel.cause

    def _wait_sentences(self):
        return {
            "meta_down": _("Meta is down"),
            "unreachable": _("Meta cannot be reached"),
            "rate_limit": _("Meta asks to wait"),
            "no_runner": _("nothing delivers them"),
            "clock": _("this server's clock is ahead"),
            "unknown": _("Meta answers in a way that nobody has documented"),
        }

    def _answer_failed(self, facts):
        failures = sorted(facts.failures, key=lambda row: -row[1])
        count = sum(now for _cause, now, _before in failures)
        if not count:
            return None
        words = CauseWords(self.env)
        cause = failures[0][0]
        return {
            "level": "warning",
            "text": (
                _("1 event failed: %s", words.label(cause))
                if count == 1
                else _(
                    "%(count)s events failed, most of them: %(cause)s",
                    count=self.number(count),
                    cause=words.label(cause),
                )
            ),
            "detail": words.cure(cause) or None,
            "button": self.log_button(_("Show failed events"), facts.failed_domain),
        }

    def _answer_missing(self, facts):
        count = len(facts.order_ids("missing"))
        if not count:
            return None
        return {
            "level": "warning",
            "text": (
                _("1 order has no Purchase")
                if count == 1
                else _("%s orders have no Purchase", self.number(count))
            ),
            "detail": _("The automation rule was off, or was changed since."),
            "button": {"text": _("Show the orders"), "orders": "missing"},
            "more": self._missing_button(facts),
        }

    def _missing_button(self, facts):
        """Return a button to send the orders that are missing, for those who may."""
        if not self.env.user.has_group(MANAGER):
            return None
        filters = {
            "days": facts.period.days,
            "website_id": facts.website.id,
            "pixel": facts.pixel.id,
        }
        return {
            "text": _("Send their Purchases"),
            "call": ["meta.capi.overview", "get_missing_action", filters],
        }

    def tools(self):
        """Return the buttons that are there whatever the answer is."""
        return list(filter(None, [self.backfill_button()]))

    def _answer_never(self, facts):
        """Tell that no Purchase goes, where all else does: it is how it comes."""
        if DashboardSteps(self.env).sends_purchases(facts) or facts.by_name.get(
            PURCHASE
        ):
            return None
        return {
            "level": "warning",
            "text": _("No Purchase is sent: Send Purchase is set to Never"),
            "detail": _(
                "Choose in the settings when the Purchase of an order is sent."
            ),
            "button": self.settings_button(),
        }

    def _answer_good(self, facts):
        pixels = facts.pixel or self.env["meta.capi.pixel"].search([])
        accepted = max(filter(None, pixels.mapped("last_success_at")), default=None)
        last = accepted and _("Last event accepted %s", self.ago(accepted))
        count = sum(count for count, _since in facts.pending.values())
        if count:
            pending = (
                _("1 event pending")
                if count == 1
                else _("%s events pending", self.number(count))
            )
            last = f"{pending}. {last}" if last else pending
        elif not accepted:
            return {
                "level": "info",
                "text": _("Nothing has been sent yet"),
                "detail": None,
            }
        return {
            "level": "success",
            "text": _("Everything is delivered"),
            "detail": last,
        }

    def notices(self, facts):
        """Return what is to be known beside the answer."""
        config = self.env["meta.capi.config"]
        websites = facts.websites
        notices = []
        without = websites.filtered(lambda website: not config._pixel_id(website))
        if without and without != websites:
            notices.append(
                _(
                    "No pixel is set for %s, so nothing of it is recorded.",
                    ", ".join(without.mapped("name")),
                )
            )
        testing = websites.filtered(config._test_event_code)
        if testing and len(websites) > 1:
            notices.append(
                _(
                    "A test event code is set for %s: events show in the Test Events tab of"
                    " Meta's Events Manager. Clear it in the settings for real operation.",
                    ", ".join(testing.mapped("name")),
                )
            )
        elif testing:
            notices.append(
                _(
                    "A test event code is set: events show in the Test Events tab of Meta's"
                    " Events Manager. Clear it in the settings for real operation."
                )
            )
        return notices

    # -------------------------------------------------------------- what does not work

    def held(self, facts):
        """Return the pixels that Meta takes no events of."""
        words = CauseWords(self.env)
        stopped = self._stopped_pixels(facts)
        is_told = not (self._answer_off(facts) or self._answer_unconfigured(facts))
        told = stopped[:1] if is_told else stopped.browse()
        return [
            {
                "id": pixel.id,
                "name": pixel.display_name,
                "count": self.some_events(facts.pending.get(pixel.pixel_id, (0,))[0]),
                "since": pixel.stopped_at and self.ago(pixel.stopped_at),
                "cause": words.label(pixel.cause),
                # Of the first one the answer has told it.
                "cure": pixel != told and pixel.cure or None,
                "message": pixel.error_message or None,
                "button": self._cure_button(pixel),
                "log": [("state", "=", "pending"), ("pixel_id", "=", pixel.pixel_id)],
            }
            for pixel in stopped
        ]

    def failures(self, facts):
        """Return the causes of what failed in the period, the most frequent first."""
        words = CauseWords(self.env)
        rows = sorted(facts.failures, key=lambda row: -row[1])
        return [
            {
                "cause": words.label(cause) or _("Cause not known"),
                "cure": words.cure(cause),
                "count": self.number(count),
                "log": [*facts.failed_domain, ("cause", "=", cause or False)],
            }
            for cause, count, _before in rows
            if count
        ]
