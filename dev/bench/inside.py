"""What `make bench` measures inside Odoo: runs in ``odoo shell``, and is forked there.

Each function that a worker is asked for gets the registry. It opens its transactions
itself, as a request or a job would, and returns what it measured as plain data.
"""

# mypy: ignore-errors
from traceback import format_exc

from . import delivering, recording, retaining, updating
from .recording import transaction

_ADDON = "ih_meta_conversions_api"


def prepare(env):
    """Make what an order sets off: our automation, and one that does nothing."""
    nothing = f"{_ADDON}.bench_automation_nothing"
    if env.ref(nothing, raise_if_not_found=False):
        return
    ours = env.ref(f"{_ADDON}.automation_purchase")
    ours.active = True
    empty = ours.copy({"name": "Nothing", "active": True})
    empty.action_server_ids.unlink()
    env["ir.actions.server"].create(
        {
            "name": "Nothing",
            "model_id": empty.model_id.id,
            "state": "code",
            "code": "pass",
            "usage": "base_automation",
            "base_automation_id": empty.id,
        }
    )
    env["ir.model.data"]._update_xmlids(
        [{"xml_id": nothing, "record": empty, "noupdate": True}]
    )


def answer(registry, connection):
    """Run one function after the other, until nobody asks any more."""
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        try:
            registry = registry.check_signaling()
            connection.send((True, _find(name)(registry, **arguments)))
        except BaseException:
            connection.send((False, format_exc()))


def _find(name):
    """Return the function that measures what is asked for."""
    found = {
        **vars(recording),
        **vars(delivering),
        **vars(retaining),
        **vars(updating),
        **globals(),
    }
    return found[name]


def versions(registry):
    """Return what runs here."""
    import platform

    import psycopg2

    from odoo import release

    with transaction(registry) as env:
        env.cr.execute("SHOW server_version")
        (server,) = env.cr.fetchone()
        module = env["ir.module.module"].search([("name", "=", "queue_job")])
        queue_job = module.installed_version
    return {
        "Odoo": release.version,
        "queue_job": queue_job,
        "PostgreSQL": server.split()[0],
        "Python": platform.python_version(),
        "psycopg2": psycopg2.__version__.split()[0],
    }
