import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, format_datetime

from ...capi.schedule import window_closes_at
from ..common.border import log_error
from ..common.managers import Managers
from ..common.standard_events import PURCHASE
from ..outbox.meta_capi_job import RUNNER_ABSENT_AFTER
from .past_slice import PastSlice

# What one job looks at, in one transaction: this many documents, or as many as are
# done in these seconds.
SLICE_SIZE = 200
SLICE_SECONDS = 10
# Seconds that a person who presses Count waits at the most; jobs do the rest.
CLICK_SECONDS = 3
# Seconds that one run of the sweep works where no jobrunner runs.
SWEEP_SECONDS = 20
# queue_job takes the lower ones first, and 10 unless told otherwise: where one channel
# serves all, a delivery never waits for more than the slice that is going on.
JOB_PRIORITY = 20
# Days after which nothing of it can be sent any more, of no document.
_KEEP_DAYS = 90

# The states in which jobs are at work, and what each is followed by.
_RUNNING = {"counting": "counted", "sending": "done"}


@dataclass(frozen=True)
class Source:
    """A kind of document that is a sale, and is told of by an event.

    Its model answers ``_meta_capi_sold_since`` and ``_meta_capi_sold_times``.
    """

    model: str
    label: str
    event_name: str
    # By this Meta has a window of 7 or of 62 days.
    action_source: str

    def opens_at(self, now):
        """Return the moment since when Meta takes events, as Odoo keeps it.

        :param now: in Unix time
        """
        seconds = int(now) - window_closes_at(0, self.action_source)
        return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)


class MetaCapiBackfill(models.Model):
    """What was sold before, counted and then sent.

    Its lines are the documents, taken down when it is counted. Jobs look at them, a
    slice in one transaction, first to count and then to send. A slice is done or is
    not, so that one whose worker is killed is done by the next job, which the scheduled
    action sees to. Where no jobrunner runs the scheduled action does the work itself.
    One slice of it is under way at a time, by an advisory lock; what is going on is
    told by the lines alone, so that *Stop* need not wait for it.
    """

    _name = "meta.capi.backfill"
    _description = "Sending of Earlier Orders to Meta"
    _order = "id desc"

    res_model = fields.Selection(
        "_selection_res_model",
        "What",
        required=True,
        default=lambda self: self._sources()[0].model,
    )
    website_ids = fields.Many2many(
        "website",
        string="Websites",
        default=lambda self: self._default_websites(),
        domain="[('company_id', 'in', allowed_company_ids)]",
    )
    since = fields.Datetime(
        "Sold Since",
        compute="_compute_since",
        store=True,
        readonly=False,
        precompute=True,
        required=True,
        help="Meta takes website orders of the last 7 days, and those of points of sale of"
        " the last 62. What is older is counted, and is not sent.",
    )
    is_chosen = fields.Boolean(
        readonly=True, help="Its orders were chosen, on the overview for instance."
    )
    state = fields.Selection(
        [
            ("draft", "New"),
            ("counting", "Counting"),
            ("counted", "Counted"),
            ("sending", "Sending"),
            ("stopped", "Stopped"),
            ("done", "Done"),
        ],
        readonly=True,
        required=True,
        default="draft",
        copy=False,
    )
    rule = fields.Text("What Counts as Sold", compute="_compute_rule")
    result_ids = fields.One2many(
        "meta.capi.backfill.result", "backfill_id", readonly=True
    )
    total_count = fields.Integer("Orders", compute="_compute_counts")
    ready_count = fields.Integer("To Be Sent", compute="_compute_counts")
    recorded_count = fields.Integer("Handed Over", compute="_compute_counts")
    unknown_count = fields.Integer("Without a Known Consent", compute="_compute_counts")
    progress = fields.Integer("Progress in Percent", compute="_compute_counts")
    progress_text = fields.Char("Looked At", compute="_compute_counts")

    # ------------------------------------------------------------------- what there is

    @api.model
    def _sources(self):
        """Return the kinds of documents that can be told of after the fact.

        Made to be extended by what brings another one.

        :return: a list of ``Source``, the one that is offered first at its head
        """
        sources = [
            Source("sale.order", _("Orders of the website"), PURCHASE, "website")
        ]
        if "pos.order" in self.env:
            label = _("Orders of the points of sale")
            sources.append(Source("pos.order", label, PURCHASE, "physical_store"))
        return sources

    @api.model
    def _selection_res_model(self):
        return [(source.model, source.label) for source in self._sources()]

    def _source(self):
        """Return its ``Source``, None where its app is no longer there."""
        sources = {source.model: source for source in self._sources()}
        return sources.get(self.res_model)

    @api.model
    def _default_websites(self):
        """Return the websites of the user's companies that have a pixel."""
        websites = self.env["website"].search(
            [("company_id", "in", self.env.companies.ids)]
        )
        return websites.filtered(self.env["meta.capi.config"]._pixel_id)

    @api.depends("res_model")
    def _compute_since(self):
        for backfill in self:
            source = backfill._source()
            if source and backfill.state == "draft" and not backfill.is_chosen:
                backfill.since = source.opens_at(time.time())
            backfill.since = backfill.since or fields.Datetime.now()

    @api.depends("res_model", "website_ids")
    def _compute_rule(self):
        for backfill in self:
            source = backfill._source()
            documents = self.env[source.model] if source else self.env["base"]
            backfill.rule = documents._meta_capi_sold_rule(backfill.website_ids)

    @api.depends("state")
    def _compute_counts(self):
        for backfill in self:
            counts = Counter()
            for result in backfill.result_ids:
                counts[result.verdict] += result.order_count
            total = sum(counts.values())
            done = backfill._done_count(total, counts)
            backfill.total_count = total
            backfill.ready_count = counts["ready"]
            backfill.recorded_count = counts["recorded"]
            backfill.unknown_count = backfill._count_without_consent()
            backfill.progress = 100 * done // total if total else 0
            backfill.progress_text = _("%(done)s of %(total)s", done=done, total=total)

    def _done_count(self, total, counts):
        """Return how many of its documents the work that is going on has been through."""
        if self.state in ("draft", "counting"):
            return total - counts[False]
        if self.state == "counted":
            return total
        self.env.cr.execute(
            SQL(
                "SELECT count(*) FROM meta_capi_backfill_line"
                " WHERE backfill_id = %s AND is_done IS NOT TRUE",
                self._origin.id or None,
            )
        )
        return total - self.env.cr.fetchone()[0]

    def _count_without_consent(self):
        """Return of how many that are to be sent nobody knows what the visitor chose."""
        self.env.cr.execute(
            SQL(
                """
                SELECT count(*) FROM meta_capi_backfill_line line
                 WHERE backfill_id = %s AND verdict = 'ready'
                   AND NOT EXISTS (
                        SELECT FROM meta_capi_browser browser
                         WHERE browser.res_model = line.res_model
                           AND browser.res_id = line.res_id AND consent)
                """,
                self._origin.id or None,
            )
        )
        return self.env.cr.fetchone()[0]

    @api.depends("state", "since")
    def _compute_display_name(self):
        for backfill in self:
            if backfill.is_chosen:
                backfill.display_name = _("Chosen orders")
                continue
            since = format_datetime(self.env, backfill.since, dt_format="short")
            backfill.display_name = _("Sold since %s", since)

    # ------------------------------------------------------------------- what is pressed

    def write(self, vals):
        """Have it counted anew where something else is asked for."""
        result = super().write(vals)
        if {"res_model", "website_ids", "since"} & vals.keys():
            for backfill in self.filtered(lambda each: each.state == "counted"):
                backfill._forget_lines()
                backfill.state = "draft"
        return result

    @api.model
    def _open_chosen(self, model, ids):
        """Return the action that opens the form for these documents, counted.

        :param ids: of documents that the user may see
        """
        Managers(self.env).check()
        documents = self.env[model].browse(ids)
        websites = self.env["website"].union(
            *(document._meta_capi_website() for document in documents.sudo())
        )
        backfill = self.create(
            {
                "res_model": model,
                "is_chosen": True,
                "website_ids": [fields.Command.set(websites.ids)],
            }
        )
        backfill._add_lines(documents.sudo()._search([("id", "in", ids)], order="id"))
        backfill._begin("counting")
        return {
            "type": "ir.actions.act_window",
            "name": backfill.display_name,
            "res_model": self._name,
            "res_id": backfill.id,
            "views": [[False, "form"]],
        }

    def action_count(self):
        """Find the documents and count what would become of them."""
        self.ensure_one()
        Managers(self.env).check()
        if self.state in _RUNNING:
            raise UserError(_("It is being counted or sent already."))
        if self.is_chosen:
            self._reset_lines()
        else:
            self._forget_lines()
            documents = self.env[self.res_model].sudo()
            # What a client has written may be another company's.
            websites = self.website_ids.sudo().filtered(
                lambda website: website.company_id in self.env.user.company_ids
            )
            domain = documents._meta_capi_sold_since(self.since, websites)
            self._add_lines(documents._search(domain, order="id"))
        self._begin("counting")

    def action_send(self):
        """Record what was counted, and have it delivered."""
        self.ensure_one()
        Managers(self.env).check()
        if self.state != "counted":
            raise UserError(_("Count first what there is to be sent."))
        self._begin("sending")

    def action_stop(self):
        """Begin no further slice; the one that is under way is finished."""
        self.ensure_one()
        Managers(self.env).check()
        if self.state == "counting":
            self.state = "draft"
        elif self.state == "sending":
            self.state = "stopped"

    def action_go_on(self):
        """Send what was left when it was stopped."""
        self.ensure_one()
        Managers(self.env).check()
        if self.state == "stopped":
            self._begin("sending")

    def _begin(self, state):
        """Have jobs do the work; a few documents are counted at once."""
        if not self.env["meta.capi.config"]._is_enabled():
            raise UserError(_("The Meta Conversions API is switched off."))
        self.state = state
        # Jobs look at what is stored.
        self.flush_recordset()
        is_more = True
        if state == "counting":
            is_more = self.sudo()._work(CLICK_SECONDS)
        if is_more:
            self._schedule()

    # ------------------------------------------------------------------------ the lines

    def _add_lines(self, documents):
        """Take down these documents.

        :param documents: a query of their model
        """
        identifier = SQL.identifier(self.env[self.res_model]._table, "id")
        self.env[self.res_model].flush_model()
        self.flush_model()
        self.env.cr.execute(
            SQL(
                "INSERT INTO meta_capi_backfill_line (backfill_id, res_model, res_id)"
                " SELECT %s, %s, id FROM (%s) AS found ON CONFLICT DO NOTHING",
                self.id,
                self.res_model,
                documents.select(identifier),
            )
        )
        self._forget_results()

    def _forget_lines(self):
        self.env.cr.execute(
            SQL("DELETE FROM meta_capi_backfill_line WHERE backfill_id = %s", self.id)
        )
        self._forget_results()

    def _reset_lines(self):
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_backfill_line"
                " SET verdict = NULL, cause = NULL, is_done = NULL"
                " WHERE backfill_id = %s",
                self.id,
            )
        )
        self._forget_results()

    def _forget_results(self):
        self.env["meta.capi.backfill.line"].invalidate_model(flush=False)
        self.env["meta.capi.backfill.result"].invalidate_model(flush=False)
        self.invalidate_recordset()

    # ------------------------------------------------------------------------- the work

    def _job_key(self):
        return f"meta_capi.backfill:{self.id}"

    def _schedule(self):
        """Have one more job go on after this transaction.

        Whatever waits already, for all this transaction can see, may have ended since.
        Two that are one too many do no harm: the lock lets one of them work.
        """
        self.with_user(SUPERUSER_ID).with_delay(
            priority=JOB_PRIORITY,
            identity_key=f"{self._job_key()}:{uuid.uuid4().hex}",
        )._run_slice()

    def _waiting_since(self):
        """Return since when the job that goes on has been waiting, None without one."""
        self.env.cr.execute(
            SQL(
                "SELECT min(coalesce(eta, date_created)) FROM queue_job"
                " WHERE identity_key LIKE %s AND state IN ('pending', 'enqueued')",
                f"{self._job_key()}:%",
            )
        )
        return self.env.cr.fetchone()[0]

    def _run_slice(self):
        """Count or send what was sold before"""
        if self.exists() and self._work(SLICE_SECONDS):
            self._schedule()

    def _work(self, seconds):
        """Look at one slice of it, in this transaction; tell whether there is more.

        :param seconds: after which no further document is begun
        """
        state = self.state
        if state not in _RUNNING or not self.env["meta.capi.config"]._is_enabled():
            return False
        # Whoever has it goes on by itself.
        if not self.env["meta.capi.job"]._try_lock(self._job_key()):
            return False
        source = self._source()
        lines = self._claim(state) if source else {}
        judged = {}
        if lines:
            piece = PastSlice(self.env, source, list(lines))
            since = None
            if state == "counting" and not self.is_chosen:
                since = self.since.replace(tzinfo=timezone.utc).timestamp()
            judged = piece.judge(time.monotonic() + seconds, since)
            if state == "sending":
                piece.record(judged)
            self._note(lines, judged, is_done=state == "sending")
        if len(lines) == SLICE_SIZE or len(judged) < len(lines):
            return True
        self.state = _RUNNING[state]
        self.flush_recordset()
        return False

    def _claim(self, state):
        """Return the next lines by their documents' ids, the oldest documents first.

        Lines that another transaction has noted since ours began raise what has the
        job replayed: they would be looked at twice.
        """
        is_next = "verdict IS NULL" if state == "counting" else "is_done IS NOT TRUE"
        self.env.cr.execute(
            SQL(
                "SELECT res_id, id FROM meta_capi_backfill_line"
                " WHERE backfill_id = %s AND %s ORDER BY id LIMIT %s"
                " FOR UPDATE",
                self.id,
                SQL(is_next),
                SLICE_SIZE,
            )
        )
        return dict(self.env.cr.fetchall())

    def _note(self, lines, judged, is_done):
        """Keep what became of documents on their lines, by one statement for each kind."""
        kinds = {}
        for document_id, each in judged.items():
            kind = each.verdict, each.cause
            kinds.setdefault(kind, []).append(lines[document_id])
        left_out = kinds.pop((None, None), [])
        self.env.cr.execute(
            SQL("DELETE FROM meta_capi_backfill_line WHERE id = ANY(%s)", left_out)
        )
        for (verdict, cause), ids in kinds.items():
            self.env.cr.execute(
                SQL(
                    "UPDATE meta_capi_backfill_line"
                    " SET verdict = %s, cause = %s, is_done = %s WHERE id = ANY(%s)",
                    verdict,
                    cause,
                    is_done,
                    ids,
                )
            )
        self._forget_results()

    # ------------------------------------------------------------------------ the sweep

    @api.model
    def _sweep(self):
        """Go on with what no job goes on with: the cron."""
        if not self.env["meta.capi.config"]._is_enabled():
            return
        jobs = self.env["meta.capi.job"]
        deadline = time.monotonic() + SWEEP_SECONDS
        absent = fields.Datetime.now() - timedelta(seconds=RUNNER_ABSENT_AFTER)
        for backfill in self.search([("state", "in", list(_RUNNING))], order="id"):
            waiting_since = backfill._waiting_since()
            if not waiting_since and jobs._is_free(backfill._job_key()):
                backfill._schedule()
            if not waiting_since or waiting_since > absent:
                continue
            if self.env["meta.capi.delivery"]._is_registry_outdated():
                return
            try:
                backfill._work_until(deadline)
            except Exception as error:
                # The border: one's trouble must not keep the others waiting.
                log_error("What was sold before could not be sent", error)

    def _work_until(self, deadline):
        """Look at one slice after the other, each in a transaction of its own."""
        delivery, is_more = self.env["meta.capi.delivery"], True
        while is_more and (seconds := deadline - time.monotonic()) > 0:
            if delivery._is_registry_outdated():
                return
            with self.env["meta.capi.job"]._delivery_cursor() as cr:
                backfill = self.with_env(api.Environment(cr, SUPERUSER_ID, {}))
                is_more = bool(backfill.exists()) and backfill._work(
                    min(seconds, SLICE_SECONDS)
                )

    @api.autovacuum
    def _gc_old(self):
        """Forget what nothing can be sent of any more."""
        before = fields.Datetime.now() - timedelta(days=_KEEP_DAYS)
        self.search([("create_date", "<", before)]).unlink()
