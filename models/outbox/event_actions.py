from psycopg2.extras import Json

from odoo import _

from ...capi.event import read_event
from ...capi.privacy import limit_data_use
from ...capi.user_data import is_too_broad
from ..common.notification import notification
from ..common.refusal import Refusal
from ..settings import setting
from .event_table import EventTable


class EventActions:
    """What a manager's click does to events; what came of it returns as a notification.

    The events are read with the rights that act on them.
    """

    def __init__(self, env):
        self.env = env

    def send(self, ids_by_pixel):
        """Send these events now and return Meta's last answer as a notification."""
        delivery = self.env["meta.capi.delivery"]
        runs = [
            delivery._deliver_chosen(pixel_id, event_ids)
            for pixel_id, event_ids in ids_by_pixel.items()
        ]
        self.env.invalidate_all()
        sent = sum(run.sent for run in runs)
        answers = [answer for run in runs for answer in run.answers]
        objections = [answer for answer in answers if answer.error_message]
        if not answers:
            message = _(
                "Nothing was sent: the events are being sent right now, or sending is"
                " switched off."
            )
        elif objections:
            message = _(
                "Events accepted by Meta: %(sent)s. Its last answer: %(answer)s",
                sent=sent,
                answer=objections[-1].error_message,
            )
        else:
            message = _(
                "Events accepted by Meta: %(sent)s (%(answer)s).",
                sent=sent,
                answer=answers[-1].brief,
            )
        return notification(
            message, "success" if sent and not objections else "warning"
        )

    def retry(self, events):
        """Make these failed events pending, due at once, and let their pixels try.

        Much may have changed since they failed: a customer may object by now, or tell
        more than the event did.
        """
        table = EventTable(self.env)
        locked = events.browse(table.lock(events.ids, "failed"))
        objecting = locked.filtered(
            lambda event: event.sudo().partner_id._meta_capi_objects()
        )
        objection = Refusal("objection", _("The customer objects to events for Meta."))
        table.refuse(objecting.ids, objection)
        locked -= objecting
        # A copy that Meta may have is told from this one by what it says of the person.
        may_differ = locked - events.browse(table.first_copies(locked.ids))
        for event in may_differ.filtered(lambda event: event.cause == "user_data"):
            self._complete_user_data(event)
        for event in may_differ.filtered(lambda event: event.cause == "lead_id"):
            self._renew_lead_id(event)
        table.retry(locked.ids, self.env["meta.capi.job"]._now())
        pixels = self.env["meta.capi.pixel"].sudo()
        for pixel_id in set(locked.mapped("pixel_id")):
            pixels._all().search([("pixel_id", "=", pixel_id)])._release()
            self.env["meta.capi.job"]._schedule(pixel_id, delay=0)
        return notification(
            _("Events pending again: %(count)s.", count=len(locked)), "success"
        )

    def _complete_user_data(self, event):
        """Add to an event that could be anybody's what its customer tells by now."""
        user_data = {
            **event.user_data,
            **event.sudo().partner_id._meta_capi_user_data(),
        }
        config = self.env["meta.capi.config"]
        read, _problems = read_event(
            {"user_data": user_data},
            now=self.env["meta.capi.job"]._now(),
            default_country=event.company_id.country_code or None,
            withheld=config._withheld_user_data(),
        )
        columns = {
            "user_data": Json(read.user_data),
            "user_data_keys": ",".join(sorted(read.user_data)) or None,
        }
        if event.data_processing_options in (None, False):
            # The place of the customer, which may be known only now, decides.
            read = limit_data_use(
                read, config._get(setting.LIMITED_DATA_USE), user_data
            )
            if read.data_processing_options is not None:
                columns.update(
                    data_processing_options=Json(read.data_processing_options),
                    data_processing_options_country=read.data_processing_options_country,
                    data_processing_options_state=read.data_processing_options_state,
                )
        EventTable(self.env).set_values(event.ids, **columns)

    def _renew_lead_id(self, event):
        """Tell the id of Meta's that the lead has by now, or none; the rest stays."""
        model = self.env.get(event.res_model)
        document = model is not None and model.sudo().browse(event.res_id).exists()
        if not document:
            return
        user_data = {**event.user_data}
        user_data.pop("lead_id", None)
        lead_id = document._meta_capi_user_data().get("lead_id")
        if lead_id:
            user_data["lead_id"] = lead_id
        if not is_too_broad(user_data):
            EventTable(self.env).set_values(
                event.ids,
                user_data=Json(user_data),
                user_data_keys=",".join(sorted(user_data)),
            )

    def cancel(self, events):
        """Take the ones of these events that are not being sent out of the queue."""
        table = EventTable(self.env)
        locked = table.lock(events.ids, "pending")
        message = _("Cancelled by %s.", self.env.user.name)
        table.cancel(locked, "cancelled_by_hand", message)
        if len(locked) < len(events):
            return notification(
                _(
                    "%(cancelled)s cancelled. %(others)s are being sent right now.",
                    cancelled=len(locked),
                    others=len(events) - len(locked),
                ),
                "warning",
            )
        return notification(
            _("Events cancelled: %(count)s.", count=len(locked)), "success"
        )
