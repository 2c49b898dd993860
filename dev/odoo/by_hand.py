"""`make shell`, `make odoo` and `make clean`: what a person does now and then."""

from __future__ import annotations

import subprocess

from ..console import say
from ..layout import CACHE, DEV, ROOT, remove
from . import databases, environment, postgres


def shell(series: str) -> int:
    """Open Odoo's Python prompt on the demo's database."""
    odoo = environment.get(series)
    with postgres.running() as cluster:
        odoo.write_config(cluster.socket)
        database = databases.shop(odoo, cluster)
        say(f"Database {database}; `env` is there, env.cr.commit() keeps what you did.")
        return _run(odoo, ["shell", "-d", database, "--no-http"])


def run_odoo(series: str, arguments: list[str]) -> int:
    """Run Odoo as the person says, with the database server up."""
    odoo = environment.get(series)
    with postgres.running() as cluster:
        odoo.write_config(cluster.socket)
        return _run(odoo, arguments)


def clean(cache: bool) -> int:
    """Remove environments and databases, and with ``cache`` our downloads.

    Odoo's source stays: others may use it, and it takes longest to get again.
    """
    postgres.discard()
    made = ("dist", ".hypothesis", ".mypy_cache", ".ruff_cache")
    paths = [DEV, *(ROOT / name for name in made)]
    for path in [*paths, CACHE] if cache else paths:
        if path.exists():
            say(f"removing {path}")
            remove(path)
    return 0


def _run(odoo: environment.Environment, arguments: list[str]) -> int:
    # A command comes before its options.
    command = arguments[:1] if arguments and not arguments[0].startswith("-") else []
    return subprocess.run(
        (odoo.launcher, *command, "-c", odoo.config, *arguments[len(command) :]),
        env=databases.environ(odoo),
        check=False,
    ).returncode
