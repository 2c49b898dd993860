"""What `make bench` measures inside Odoo: runs in ``odoo shell``, and is forked there.

Each function that a worker is asked for gets the registry. It opens its transactions
itself, as a request or a job would, and returns what it measured as plain data.
"""

# mypy: ignore-errors
from traceback import format_exc

from . import delivering, recording, retaining, updating
from .recording import transaction

_ADDON = "ih_meta_conversions_api"
# Automations that our own is compared with.
NOTHING, BY_HAND = "bench_automation_nothing", "bench_automation_by_hand"


def prepare(env):
    """Make what an order sets off: our automation, one that does nothing, and one that
    does by hand what cannot be left out.
    """
    ours = env.ref(f"{_ADDON}.automation_purchase")
    if env.ref(f"{_ADDON}.{NOTHING}", raise_if_not_found=False):
        return
    ours.active = True
    for name, code in ((NOTHING, "pass"), (BY_HAND, recording.code_by_hand())):
        other = ours.copy({"name": name, "active": True})
        other.action_server_ids.unlink()
        env["ir.actions.server"].create(
            {
                "name": name,
                "model_id": other.model_id.id,
                "state": "code",
                "code": code,
                "usage": "base_automation",
                "base_automation_id": other.id,
            }
        )
        env["ir.model.data"]._update_xmlids(
            [{"xml_id": f"{_ADDON}.{name}", "record": other, "noupdate": True}]
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
