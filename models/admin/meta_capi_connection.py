from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import UserError

from ...capi.errors import InvalidParameter
from ...capi.graph_errors import Outcome
from ..common.notification import notification
from ..outbox.event_actions import EventActions


class MetaCapiConnection(models.AbstractModel):
    """Whether Meta takes what a website would send: asked at once, for a person."""

    _name = "meta.capi.connection"
    _description = "Test of the Connection to Meta"

    @api.model
    def _test(self, website):
        """Ask Meta for the pixel of ``website``; return its answer as a notification."""
        pixel_id, token = self._credentials(website)
        try:
            client = self.env["meta.capi.config"]._graph_client()
        except InvalidParameter as error:
            raise UserError(str(error)) from error
        answer = client.get_pixel(pixel_id, token)
        if answer.outcome is Outcome.ACCEPTED:
            message = _("Meta knows the pixel and the token: %s", answer.brief)
        elif answer.outcome is Outcome.AMBIGUOUS:
            message = _(
                "Meta knows the token. It may not read the pixel's name, which is usual for"
                " a token made in Events Manager: send a test event to see that it may send."
                " Meta: %s",
                answer.error_message,
            )
        else:
            message = _("Meta refuses: %s", answer.error_message)
        kinds = {Outcome.ACCEPTED: "success", Outcome.AMBIGUOUS: "info"}
        return notification(message, kinds.get(answer.outcome, "warning"))

    @api.model
    def _send_test_event(self, website):
        """Send an event to the Test Events tab of Meta; return what Meta answers."""
        self._credentials(website)
        if not self.env["meta.capi.config"]._test_event_code(website):
            raise UserError(
                _("Set a test event code first; Meta would count the event as real.")
            )
        # Committed before it is sent, like any event: this transaction never sees it.
        with self.env["meta.capi.job"]._delivery_cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            event = env["meta.conversions.api"].send_event(
                "TestEvent",
                user_data={"external_id": f"odoo-test-{self.env.uid}"},
                action_source="system_generated",
                website=website.with_env(env) or None,
                raise_on_error=True,
            )
            sent_ids = {event.pixel_id: event.ids} if event else {}
        if not sent_ids:
            raise UserError(_("The Meta Conversions API is switched off."))
        return EventActions(self.env).send(sent_ids)

    @api.model
    def _credentials(self, website):
        """Return the pixel and the token of ``website``.

        :raise UserError: one of them is not set
        """
        pixel_id = self.env["meta.capi.config"]._pixel_id(website)
        if not pixel_id:
            raise UserError(_("Set the Meta Pixel ID first."))
        token = self.env["meta.capi.config"]._access_token(pixel_id)
        if not token:
            raise UserError(_("Set the access token first."))
        return pixel_id, token
