"""Long work on the log and beside it, in a way that those who record meanwhile do not notice."""

import time
from datetime import datetime

from odoo import SUPERUSER_ID, api

# Events, requests or browsers of one transaction, which lasts some 0.1 s.
SLICE = 2_000
# Seconds of rest after each second of work, as PostgreSQL's own vacuum has them: the
# machine is the shop's.
_RESTS = 3
# After so many seconds the rest is another run's. Odoo ends one of 120 s by default, and
# others have to clean up, too.
_SECONDS = 30


def clean_up(env, *tasks):
    """Do tasks one after the other, slice by slice, in transactions of their own.

    Odoo calls what cleans up once a day. What is left after some time is done by further
    runs, which begin as soon as a worker has time for them.

    :param tasks: functions of an environment, of how many rows to take and of where to
        begin, that return where the next slice begins, or None if there is none
    """
    ends_at = time.monotonic() + _SECONDS
    for task in tasks:
        since = datetime.min
        while since is not None:
            start = time.monotonic()
            with env["meta.capi.job"]._delivery_cursor() as cr:
                since = task(api.Environment(cr, SUPERUSER_ID, {}), SLICE, since)
            if since is None:
                continue
            end = time.monotonic()
            if end > ends_at:
                env.ref("base.autovacuum_job")._trigger()
                return
            time.sleep(_RESTS * (end - start))
