from collections import defaultdict
from datetime import timedelta

from odoo import _, fields

from ...capi.advice import Kind, Place, advise
from ..outbox.event_counts import EventCounts
from ..outbox.key_words import KeyWords
from ..outbox.meta_capi_pixel import EVENTS_MANAGER
from ..settings import setting
from .figures import Figures

# Days of our own events that are compared with what Meta tells.
_CURRENT_DAYS = 7
# Percent of our own events from which a key that Meta misses is not ours to add.
_NEARLY_ALL = 95
# Names of events that a sentence tells.
_MAX_NAMES = 3


class QualityAdvice:
    """What to do about the quality: the words for ``capi.advice``, and the ways there."""

    def __init__(self, env):
        self.env = env
        self.figures = Figures(env)

    def find(self, current):
        """Return what to do, the most worth first, at most five.

        :param current: the newest rows of ``meta.capi.quality``
        :return: dicts with ``text``; ``place``, a key of ``capi.advice.Place``; and
            ``action``, an action of Odoo that leads there
        """
        events = [quality._to_event() for quality in current]
        found = advise(
            events,
            self._own_shares(current),
            keys=setting.USER_DATA_KEYS.choices,
            withheld=self.env["meta.capi.config"]._withheld_user_data(),
        )
        by_event = dict(zip(map(id, events), current, strict=True))
        return [
            {
                "text": self._text(advice),
                "place": advice.place.value,
                "action": self._action(advice, by_event[id(advice.worst)]),
            }
            for advice in found
        ]

    def _own_shares(self, current):
        """Return which percent of the events that we sent of late have which key.

        Of the same names and pixels, by the lists of keys, of which there are few however
        many events there are.
        """
        hour = fields.Datetime.now().replace(minute=0, second=0)
        counts = EventCounts(
            self.env,
            [
                ("state", "=", "sent"),
                ("action_source", "=", "website"),
                ("pixel_id", "in", current.mapped("pixel_id")),
            ],
        )
        totals = defaultdict(int)
        having = defaultdict(lambda: defaultdict(int))
        for name, _state, keys, count in counts.by_name(
            hour - timedelta(days=_CURRENT_DAYS), hour + timedelta(hours=1)
        ):
            totals[name] += count
            for key in keys.split(","):
                having[name][key] += count
        return {
            name: {key: 100 * count / total for key, count in having[name].items()}
            for name, total in totals.items()
        }

    def _text(self, advice):
        """Return an advice in a sentence or three."""
        names = ", ".join(advice.event_names[:_MAX_NAMES])
        if len(advice.event_names) > _MAX_NAMES:
            names += "…"
        worst = advice.worst
        values = {"events": names, "event": worst.event_name}
        if advice.kind is Kind.DIAGNOSTIC:
            return self._diagnostic_text(advice.diagnostic, names)
        if advice.kind is Kind.KEY:
            return self._key_text(advice, names)
        if advice.kind is Kind.COVERAGE:
            return _(
                "%(events)s: for each 100 events of the browser the server sends"
                " %(coverage)s of %(event)s, and Meta's goal is %(goal)s. Have the pages'"
                " events sent from the server, too.",
                coverage=self.figures.figure(worst.coverage),
                goal=self.figures.figure(worst.coverage_goal),
                **values,
            )
        if advice.kind is Kind.EVENT_ID:
            return _(
                "%(events)s: not all events carry an event ID, so that Meta may count the"
                " browser's and the server's copy as two. Of %(event)s it is %(browser)s of"
                " the browser's and %(server)s of the server's events.",
                browser=self.figures.percentage(worst.browser_with_id),
                server=self.figures.percentage(worst.server_with_id),
                **values,
            )
        return _(
            "%(events)s: events do not reach Meta in real time (%(frequency)s). See what"
            " is pending, and why.",
            frequency=worst.freshness,
            **values,
        )

    def _diagnostic_text(self, diagnostic, names):
        """Return a fault as Meta words it."""
        share = ""
        if diagnostic.percentage is not None:
            share = f" ({self.figures.percentage(diagnostic.percentage)})"
        texts = dict.fromkeys(
            (diagnostic.name, diagnostic.description, diagnostic.solution)
        )
        words = " ".join(
            text if text[-1] in ".!?" else f"{text}." for text in texts if text
        )
        return f"{names}{share}: {words}"

    def _key_text(self, advice, names):
        words = KeyWords(self.env)
        key = words.names().get(advice.key, advice.key)
        sentences = [
            _(
                "%(events)s: with %(key)s in every event, Meta expects up to %(gain)s more"
                " conversions.",
                events=names,
                key=f"{key} ({advice.key})",
                gain=self.figures.percentage(advice.gain),
            )
        ]
        if advice.own_share is not None:
            sentences.append(
                _(
                    "Of the %(event)s events that Odoo sent in the last 7 days, %(share)s"
                    " have it.",
                    event=advice.worst.event_name,
                    share=self.figures.percentage(advice.own_share),
                )
            )
        if advice.place is Place.DATA_SETTINGS:
            sentences.append(_("It is switched off in the settings."))
        elif (advice.own_share or 0) >= _NEARLY_ALL:
            sentences.append(
                _("Something else sends events to the same pixel, and without it.")
            )
        else:
            sentences.append(words.hints().get(advice.key, ""))
        return " ".join(filter(None, sentences))

    def _action(self, advice, quality):
        """Return an action that leads to where an advice can be followed.

        :param quality: the row of the event that is worst off
        """
        actions = self.env["ir.actions.actions"]
        if advice.place is Place.EVENTS_MANAGER:
            return {
                "type": "ir.actions.act_url",
                "url": EVENTS_MANAGER.format(quality.pixel_id),
                "target": "new",
            }
        if advice.place in (Place.DATA_SETTINGS, Place.PAGE_SETTINGS):
            return actions._for_xml_id(
                "ih_meta_conversions_api.meta_capi_settings_action"
            )
        action = actions._for_xml_id("ih_meta_conversions_api.meta_capi_event_action")
        if advice.place is Place.PENDING_EVENTS:
            action["context"] = {"search_default_pending": 1}
            return action
        action["domain"] = [
            ("state", "=", "sent"),
            ("pixel_id", "=", quality.pixel_id),
            ("event_name", "in", list(advice.event_names)),
            "|",
            ("user_data_keys", "=", False),
            ("user_data_keys", "not like", advice.key),
        ]
        action["context"] = {"search_default_week": 1}
        return action
