"""Make plain columns of those that PostgreSQL filled in by itself, without a rewrite.

And take out what is gone.

Committed at once: the locks of these statements would otherwise be held until the end
of the update, and a shop that records events would wait for it.
"""

from odoo.tools import SQL

# Until PostgreSQL 12 a generated column cannot be made plain where it stands.
_DROP_EXPRESSION_SINCE = 130000
_COLUMNS = {"cause": "varchar", "value": "double precision", "currency": "varchar"}


def migrate(cr, version):
    if not version:
        return
    cr.execute(
        """
        SELECT attname FROM pg_attribute
         WHERE attrelid = to_regclass('meta_capi_event') AND attgenerated = 's'
        """
    )
    generated = [name for (name,) in cr.fetchall() if name in _COLUMNS]
    for name in generated:
        if cr.connection.server_version >= _DROP_EXPRESSION_SINCE:
            cr.execute(
                SQL(
                    "ALTER TABLE meta_capi_event ALTER %s DROP EXPRESSION",
                    SQL.identifier(name),
                )
            )
        else:
            _keep_as_plain(cr, name)
    if generated:
        cr.execute(
            """
            ALTER TABLE meta_capi_event
                ADD COLUMN IF NOT EXISTS unknown_count int4,
                ADD COLUMN IF NOT EXISTS first_refusal_id int4,
                ADD COLUMN IF NOT EXISTS is_from_browser bool,
                ADD COLUMN IF NOT EXISTS is_copy bool,
                ADD COLUMN IF NOT EXISTS happens_once bool
            """
        )
        cr.execute("ALTER TABLE meta_capi_pixel DROP COLUMN IF EXISTS witness_wanted")
    _forget_model(cr, "meta.capi.cause")
    cr.commit()  # pylint: disable=invalid-commit


def _forget_model(cr, model):
    """Take a model without a table out of the database; Odoo would complain of it."""
    name = model.replace(".", "_")
    cr.execute(
        r"""
        DELETE FROM ir_model_data
         WHERE module = 'ih_meta_conversions_api'
           AND (name = 'model_' || %(name)s OR name = 'access_' || %(name)s || '_user'
                OR name LIKE 'field_' || %(name)s || '\_\_%%')
        """,
        {"name": name},
    )
    cr.execute("DELETE FROM ir_model WHERE model = %s", [model])


def _keep_as_plain(cr, name):
    column, kept = SQL.identifier(name), SQL.identifier(f"{name}_kept")
    for statement in (
        SQL("ALTER TABLE meta_capi_event ADD %s %s", kept, SQL(_COLUMNS[name])),
        SQL(
            "UPDATE meta_capi_event SET %s = %s WHERE %s IS NOT NULL",
            kept,
            column,
            column,
        ),
        SQL("ALTER TABLE meta_capi_event DROP %s", column),
        SQL("ALTER TABLE meta_capi_event RENAME %s TO %s", kept, column),
    ):
        cr.execute(statement)
