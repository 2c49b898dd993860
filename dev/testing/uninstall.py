"""Uninstall the addon and look for what it left; fed to `odoo shell`, which has `env`."""

# ruff: noqa: F821
addon = "ih_meta_conversions_api"


def ours(model):
    """Return the records of a model that our addon alone has brought."""
    env.cr.execute(
        "SELECT res_id FROM ir_model_data WHERE model = %s"
        " GROUP BY res_id HAVING array_agg(DISTINCT module::text) = ARRAY[%s]",
        (model, addon),
    )
    return env[model].browse([res_id for (res_id,) in env.cr.fetchall()]).exists()


tables = [env[model.model]._table for model in ours("ir.model")]
columns = [
    f"{env[field.model]._table}.{field.name}"
    for field in ours("ir.model.fields")
    if field.store
]
env["ir.module.module"].search([("name", "=", addon)]).button_immediate_uninstall()

env.cr.execute("SELECT model, name FROM ir_model_data WHERE module = %s", (addon,))
left = [f"{model} {name}" for model, name in env.cr.fetchall()]
env.cr.execute(
    "SELECT 'table ' || table_name FROM information_schema.tables"
    " WHERE table_name = ANY(%s) UNION"
    " SELECT 'column ' || table_name || '.' || column_name"
    " FROM information_schema.columns"
    " WHERE table_name || '.' || column_name = ANY(%s)",
    (tables, columns),
)
left += [name for (name,) in env.cr.fetchall()]
if left:
    raise SystemExit(f"Uninstalling left behind: {', '.join(left)}")
