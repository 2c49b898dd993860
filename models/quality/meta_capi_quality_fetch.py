import logging
from datetime import timedelta

from odoo import SUPERUSER_ID, _, api, fields, models

from ...capi.answer import Answer
from ...capi.delivery import MAX_SECONDS
from ...capi.errors import InvalidParameter
from ...capi.graph_errors import Outcome
from ...capi.quality import Problem, QualityAnswer
from ..common.border import log_error

_logger = logging.getLogger("meta.conversions.api")

CRON = "ih_meta_conversions_api.ir_cron_quality"
# Hours after which a pixel is due again: a day, less what a daily action may be early.
_DUE_AFTER = 20


class MetaCapiQualityFetch(models.AbstractModel):
    """Asks Meta what it thinks of the events, and writes down what it says.

    The question is asked between two transactions of our own, never in one of a user's:
    the first reads what to ask with, the second keeps the answer. A refusal is kept with
    the pixel and changes nothing about sending.
    """

    _name = "meta.capi.quality.fetch"
    _description = "Question to Meta about the quality of events"

    @api.model
    def _ask_all(self):
        """Ask about each pixel that is due: the daily scheduled action."""
        if not self.env["meta.capi.config"]._is_enabled():
            return
        jobs = self.env["meta.capi.job"]
        deadline = jobs._now() + MAX_SECONDS
        for pixel_id in self._due_pixel_ids():
            if jobs._now() > deadline:
                cron = self.env.ref(CRON, raise_if_not_found=False)
                if cron:
                    cron._trigger()
                break
            try:
                self._put(pixel_id)
            except Exception as error:
                # The border: one pixel's trouble must not be in the way of the others.
                log_error(f"Meta could not be asked about pixel {pixel_id}", error)
        self.env["meta.capi.delivery"]._tell_managers()

    @api.model
    def _due_pixel_ids(self):
        """Return the pixels that were not asked about of late, longest ago first.

        Of those in use: without a token there is nothing to ask with.
        """
        before = fields.Datetime.now() - timedelta(hours=_DUE_AFTER)
        config = self.env["meta.capi.config"]
        used = filter(
            config._access_token, self.env["meta.capi.pixel"]._pixel_ids_in_use()
        )
        pixels = self.env["meta.capi.pixel"]._all().search([])
        asked = {pixel.pixel_id: pixel.quality_asked_at for pixel in pixels}
        never = fields.Datetime.to_datetime("1970-01-01")
        ages = {pixel_id: asked.get(pixel_id) or never for pixel_id in used}
        due = [pixel_id for pixel_id, at in ages.items() if at < before]
        return sorted(due, key=lambda pixel_id: (ages[pixel_id], pixel_id))

    @api.model
    def _ask(self, pixel_id):
        """Ask Meta about the quality of events"""
        if not self.env["meta.capi.config"]._is_enabled():
            return _("The Meta Conversions API is switched off.")
        answer = self._put(pixel_id)
        self.env["meta.capi.delivery"]._tell_managers()
        if answer.problem:
            return _("Meta does not tell: %s", answer.answer.error_message)
        return _("Names of events that Meta told of: %s.", len(answer.events))

    @api.model
    def _put(self, pixel_id):
        """Put the question to Meta, keep what it says, and return that."""
        jobs = self.env["meta.capi.job"]
        with jobs._delivery_cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            ask = self.with_env(env)._question(pixel_id)
        answer = ask()
        with jobs._delivery_cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            self.with_env(env)._keep(pixel_id, answer)
        return answer

    @api.model
    def _question(self, pixel_id):
        """Return what makes the request, and touches no database."""
        config = self.env["meta.capi.config"]
        token = config._access_token(pixel_id)
        try:
            client = config._graph_client()
        except InvalidParameter as error:
            refusal = Answer(Outcome.STOPPED, "setting", error_message=str(error))
            return lambda: QualityAnswer.without_events(refusal)
        return lambda: client.get_quality(pixel_id, token)

    @api.model
    def _keep(self, pixel_id, answer):
        """Write down an answer of Meta, a ``capi.quality.QualityAnswer``."""
        now = fields.Datetime.now()
        values = {
            "quality_asked_at": now,
            "quality_problem": answer.problem and answer.problem.value,
            "quality_error": answer.answer.error_message,
        }
        if answer.problem:
            _logger.log(
                logging.INFO if answer.problem is Problem.LATER else logging.WARNING,
                "Pixel %s: Meta does not tell the quality of events (%s), HTTP %s,"
                " code %s/%s, trace %s: %s",
                pixel_id,
                answer.problem.value,
                answer.answer.http_status,
                answer.answer.error_code,
                answer.answer.error_subcode,
                answer.answer.fbtrace_id,
                answer.answer.error_message,
            )
        else:
            values["quality_told_at"] = now
            self.env["meta.capi.quality"]._keep(pixel_id, answer.events)
        if answer.oddities:
            _logger.warning(
                "Pixel %s: parts of Meta's answer about the quality are not understood: %s",
                pixel_id,
                ", ".join(answer.oddities),
            )
            values["quality_problem"] = Problem.SHAPE.value
            values["quality_error"] = ", ".join(answer.oddities)
        self.env["meta.capi.pixel"]._get(pixel_id).write(values)
