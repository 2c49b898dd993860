import contextlib
import time
from datetime import timedelta

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from odoo import SUPERUSER_ID, api, fields, models
from odoo.tools import SQL

from ..settings import setting

# Jobs of one pixel that wait at once: one whose time is ahead, one already on its way,
# and one for what is tried again, whose time may be far ahead. More would add nothing,
# so they do not pile up where no jobrunner runs.
JOB_SLOTS = ("0", "1")
RETRY_SLOT = "retry"
# Seconds a job must still be ahead for a transaction to leave its events to it.
JOIN_MARGIN = 1
# Seconds after which a job that nobody started tells that no jobrunner is there.
RUNNER_ABSENT_AFTER = 60


class MetaCapiJob(models.AbstractModel):
    """The jobs that deliver, and the time and the transactions all of delivery shares."""

    _name = "meta.capi.job"
    _description = "Jobs That Deliver Events to Meta"

    @api.model
    def _schedule(self, pixel_id, delay=None, slots=JOB_SLOTS):
        """Have the pending events of ``pixel_id`` delivered after this transaction.

        A job whose time is still ahead serves this transaction too, if it comes in time.
        One that is about to start does not: it may look before we commit. Transactions
        that cannot see each other's job yet would each add one; the advisory locks keep
        that to ``slots``. What falls through is found by the sweep.

        :param delay: seconds, by default those of the configuration
        :param slots: the slots that a new job may take
        """
        if delay is None:
            delay = self.env["meta.capi.config"]._get(setting.BATCH_DELAY)
        now = fields.Datetime.now()
        margin = min(JOIN_MARGIN, delay / 2)
        # A visible job that is younger than this transaction is its own. queue_job
        # keeps whole seconds.
        self.env.cr.execute(
            SQL(
                """
                SELECT identity_key,
                       state = 'pending' AND coalesce(eta, date_created) <= %s AND (
                           eta > %s
                           OR date_created >= date_trunc('second', now() AT TIME ZONE 'UTC')
                       )
                  FROM queue_job
                 WHERE identity_key IN %s
                   AND state IN ('pending', 'enqueued')
                """,
                now + timedelta(seconds=delay + JOIN_MARGIN),
                now + timedelta(seconds=margin),
                tuple(self._job_keys(pixel_id)),
            )
        )
        waiting = dict(self.env.cr.fetchall())
        if any(waiting.values()):
            return
        for key in self._job_keys(pixel_id, slots):
            if key not in waiting and self._try_lock(key):
                # The jobs run as superuser: whoever records an event may do nothing
                # with it.
                self.env["meta.capi.delivery"].with_user(SUPERUSER_ID).with_delay(
                    eta=delay, identity_key=key
                )._deliver(pixel_id)
                return

    @api.model
    def _job_keys(self, pixel_id, slots=(*JOB_SLOTS, RETRY_SLOT)):
        return [f"meta_capi.deliver:{pixel_id}:{slot}" for slot in slots]

    @api.model
    def _try_lock(self, key):
        self.env.cr.execute(
            SQL("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", key)
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _is_free(self, key):
        """Tell whether no transaction has the lock of ``_try_lock``; take it for none."""
        lock = SQL("hashtextextended(%s, 0)", key)
        self.env.cr.execute(
            SQL(
                "SELECT CASE WHEN pg_try_advisory_lock(%s)"
                " THEN pg_advisory_unlock(%s) ELSE false END",
                lock,
                lock,
            )
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _is_runner_absent(self, pixel_id):
        """Tell whether a job of ours has been waiting for longer than it can."""
        self.env.cr.execute(
            SQL(
                """
                SELECT EXISTS (
                    SELECT FROM queue_job
                     WHERE identity_key IN %s
                       AND state IN ('pending', 'enqueued')
                       AND coalesce(eta, date_created) < %s
                )
                """,
                tuple(self._job_keys(pixel_id)),
                fields.Datetime.now() - timedelta(seconds=RUNNER_ABSENT_AFTER),
            )
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _now(self):
        """Return the Unix time; everything about delivery keeps whole seconds."""
        return int(time.time())

    @api.model
    @contextlib.contextmanager
    def _delivery_cursor(self):
        """Open a READ COMMITTED cursor, committed at the end."""
        with self.env.registry.cursor() as cr:
            # One that shares a connection may be inside a transaction.
            if cr.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE:
                cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            yield cr
