"""Indexes, made by an update while the shop goes on writing to their tables."""

import contextlib

from odoo import sql_db
from odoo.tools import SQL


def create_indexes(cr, table, indexes, is_unique=False):
    """Create the indexes that a table lacks, and keep nobody from writing to it.

    ``CREATE INDEX IF NOT EXISTS`` would do so even for an index that is there: PostgreSQL
    locks the table before it looks, and until the transaction ends.

    :param indexes: of what, and where; by the name without that of the table
    """
    cr.execute(
        "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        # One whose making was interrupted is there, and is not used.
        " WHERE indrelid = %s::regclass AND indisvalid",
        [table],
    )
    existing = {name for (name,) in cr.fetchall()}
    names = {f"{table}_{key}": definition for key, definition in indexes.items()}
    missing = {n: definition for n, definition in names.items() if n not in existing}
    if not missing:
        return
    kind = SQL("UNIQUE INDEX" if is_unique else "INDEX")
    if not commit_if_shared(cr, table):
        for name, definition in missing.items():
            cr.execute(_create(kind, name, table, definition))
        return
    with _own_connection(cr) as own:
        for name, definition in missing.items():
            own.execute(
                SQL("DROP INDEX CONCURRENTLY IF EXISTS %s", SQL.identifier(name))
            )
            own.execute(_create(SQL("%s CONCURRENTLY", kind), name, table, definition))


def commit_if_shared(cr, table):
    """Let go of what an update has locked so far, if others see the table.

    They do not where this transaction has made it, as at the installation: that is
    undone as a whole if it fails. An update that fails can be run again.

    :return: whether it is committed
    """
    cr.execute("SELECT %s::regclass::oid", [table])
    oid = cr.fetchone()
    with _own_connection(cr) as own:
        own.execute("SELECT FROM pg_class WHERE oid = %s", oid)
        is_shared = bool(own.rowcount)
    if is_shared:
        commit_schema(cr)
    return is_shared


def commit_schema(cr):
    """Commit what was done to the tables, and nothing that the ORM has still to write.

    That might be for columns which the update has not made yet.
    """
    cr.connection.commit()


def _create(kind, name, table, definition):
    return SQL(
        "CREATE %s %s ON %s %s",
        kind,
        SQL.identifier(name),
        SQL.identifier(table),
        SQL(definition.replace("%", "%%")),
    )


@contextlib.contextmanager
def _own_connection(cr):
    """Give a cursor on which each statement is a transaction."""
    with sql_db.db_connect(cr.dbname).cursor() as own:
        own.connection.autocommit = True
        try:
            yield own
        finally:
            own.connection.autocommit = False
