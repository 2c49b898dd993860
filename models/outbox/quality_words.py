from odoo import _

from ...capi.quality import Problem
from .cause_words import CauseWords

# Why Meta's view of the events is not to be had, in a few words.
PROBLEMS = [
    (Problem.PERMISSION.value, "No permission to read the quality"),
    (Problem.TOKEN.value, "Access token not valid"),
    (Problem.SETTING.value, "Setting not usable"),
    (Problem.LATER.value, "Meta not reached"),
    (Problem.SHAPE.value, "Answer not understood"),
    (Problem.UNKNOWN.value, "Refused by Meta"),
]


class QualityWords:
    """What to do where Meta does not tell what it thinks of the events."""

    def __init__(self, env):
        self.env = env

    def cures(self):
        """Return what to do about each problem; Meta's own words are beside it."""
        return {
            "permission": _(
                "The token may send events, but not read their quality. For a token of a"
                " system user: in Meta's Business Settings give the system user the"
                " permission Manage Pixel for this pixel. For a token that was generated"
                " in Events Manager before July 2025: opt in once, in Events Manager ▸"
                " Settings ▸ Conversions API, or generate a new token there. Events are"
                " sent all the same."
            ),
            "token": CauseWords(self.env).cure("token"),
            "setting": _(
                "Compare the pixel ID in Website ▸ Configuration ▸ Settings with the one"
                " in Events Manager, and see whether the system parameters"
                " meta_capi.graph_url and meta_capi.api_version are right."
            ),
            "later": _("Nothing to do: Meta is asked again tomorrow."),
            "shape": _(
                "Meta's answer is not built as its documentation says. Events are sent all"
                " the same. Look for an update of this app."
            ),
            "unknown": _(
                "Meta's own words tell more. Events are sent all the same, and Meta is"
                " asked again tomorrow."
            ),
        }
