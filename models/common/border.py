"""Where an event meets what a shop is for: what breaks of ours, breaks there."""

import logging
import traceback
from contextlib import contextmanager

import psycopg2
from psycopg2.errors import ReadOnlySqlTransaction

_logger = logging.getLogger("meta.conversions.api")

# What PostgreSQL says to have the request replayed, or the connection made anew.
PASSED_THROUGH = (psycopg2.OperationalError, ReadOnlySqlTransaction)


def log_error(message, error):
    """Log where ``error`` comes from, not what it says: it may quote personal data."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    name = type(error).__name__
    _logger.error("%s:\nTraceback, without values:\n%s%s", message, frames, name)


@contextmanager
def border(cr, message):
    """Undo and log what fails in here, so that the order or form around it goes on.

    Nothing that waits to be written is written for its sake.

    :param message: what could not be done, in words that name nobody
    """
    try:
        with cr.savepoint(flush=False):
            yield
    except PASSED_THROUGH:
        raise
    except Exception as error:
        log_error(message, error)
