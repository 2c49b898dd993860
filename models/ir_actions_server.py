from dataclasses import dataclass

from odoo import fields, models

# In the context of the ``env`` that a server action's code is given.
ORIGIN_KEY = "meta_capi_origin"


@dataclass(frozen=True)
class ActionOrigin:
    """The records a server action runs on. Not JSON: no client can put it in a context."""

    model: str
    ids: tuple[int, ...]


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    state = fields.Selection(
        selection_add=[("meta_capi", "Send Meta Event")],
        ondelete={"meta_capi": "cascade"},
    )
    meta_capi_event_name = fields.Char(
        "Meta Event Name",
        help="A standard event of Meta, such as Purchase or Lead, or a name of your own.",
    )

    def _get_eval_context(self, action=None):
        """Mark the action's own ``env`` with the records it runs on.

        ``send_event`` called by the action's code then knows what the event is about.
        The ``active_id`` of the context would not tell: every click carries one.
        """
        eval_context = super()._get_eval_context(action=action)
        if "env" in eval_context:
            records = eval_context.get("records") or eval_context.get("record")
            origin = records and ActionOrigin(records._name, tuple(records.ids))
            env = eval_context["env"]
            eval_context["env"] = env(
                context={**env.context, ORIGIN_KEY: origin or None}
            )
        return eval_context

    def _run_action_meta_capi_multi(self, eval_context=None):
        records = eval_context.get("records") or eval_context.get("record") or ()
        self.env["meta.conversions.api"].send_events(
            [
                {"event_name": self.meta_capi_event_name, "origin": record}
                for record in records
            ]
        )
