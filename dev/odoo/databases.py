"""The throw-away databases: one template a series, clones of it for each run."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..console import Problem, step
from ..layout import ADDON, ROOT, SHIPPED, exclusive, remove
from . import postgres
from .environment import Environment
from .log import Log
from .postgres import Cluster

# The addon's own dependencies, and apps whose events it tells of where they are.
DEPENDENCIES = "website_sale,base_automation,queue_job,crm,website_sale_wishlist,website_mass_mailing"
# Apps that change what an order is: nearly all is tested without them.
MORE_APPS = "point_of_sale,sale_stock,sale_margin"

# The demo's visitors pay by a provider that comes with Odoo and only simulates it.
_PAYMENT = "payment_demo"

# What a test with a browser would otherwise spend its first 40 seconds on.
_BUILD_ASSETS = "env['ir.qweb']._pregenerate_assets_bundles(); env.cr.commit()"


def load(
    environment: Environment,
    log: Log,
    database: str,
    option: str,
    modules: str = ADDON,
    *more: str,
) -> int:
    """Install or update modules, by Odoo's option ``-i`` or ``-u``; return the exit code."""
    options = ("-d", database, option, modules, "--stop-after-init")
    return log.run(
        (*environment.command, *options, *(more or ("--no-http",))),
        environ(environment),
    )


def run_in_odoo(environment: Environment, log: Log, database: str, script: str) -> int:
    """Run a script that has `env` on a database; return its exit code."""
    launcher, *config = environment.command
    options = ("-d", database, "--no-http")
    return log.run((launcher, "shell", *config, *options), environ(environment), script)


def environ(environment: Environment) -> dict[str, str]:
    """What the addon's tests find their own Odoo processes by."""
    return os.environ | {
        "META_CAPI_DEV_ODOO": str(environment.launcher),
        "META_CAPI_DEV_CONF": str(environment.config),
        "META_CAPI_DEV_SERIES": environment.series,
    }


def template(environment: Environment, cluster: Cluster) -> str:
    """Return the database with the dependencies installed, built if need be."""
    recipe = f"{environment.identity} {DEPENDENCIES} {_BUILD_ASSETS}"
    key = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    return _built(environment, cluster, "template", key, DEPENDENCIES)


def template_of_apps(environment: Environment, cluster: Cluster) -> str:
    """Return the database with more apps as well, built if need be."""
    source = template(environment, cluster)
    key = f"{remark(cluster, source)}+{MORE_APPS}"
    return _built(environment, cluster, "apps_template", key, MORE_APPS, source)


def _built(
    environment: Environment,
    cluster: Cluster,
    name: str,
    key: str,
    modules: str,
    source: str = "",
) -> str:
    name = f"{name}_{environment.series}"
    with exclusive(name):
        # The remark is written last: a database without it is half-built.
        if remark(cluster, name) != key:
            drop(environment, cluster, name)
            with step(f"Installing {modules.replace(',', ', ')} once"):
                _build(environment, cluster, name, modules, source)
            set_remark(cluster, name, key)
    return name


def remark(cluster: Cluster, name: str) -> str | None:
    """Return what we last wrote on a database; None if there is no such thing."""
    found = cluster.sql(
        "SELECT shobj_description(oid, 'pg_database')"
        f" FROM pg_database WHERE datname = '{name}'"
    )
    return found[0] if found and found[0] else None


def set_remark(cluster: Cluster, name: str, text: str) -> None:
    """Write on a database what it was made from."""
    cluster.sql(f"""COMMENT ON DATABASE "{name}" IS '{text}'""")


def _build(
    environment: Environment, cluster: Cluster, name: str, modules: str, source: str
) -> None:
    if source:
        copy(environment, cluster, source, name)
    else:
        cluster.sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
    # What others' modules warn of while they install is no concern of ours.
    log = Log(environment.folder / "log" / "template.log", quiet=True)
    code = load(environment, log, name, "-i", modules)
    if not source:
        code = code or run_in_odoo(environment, log, name, _BUILD_ASSETS)
    if code:
        log.show_end()
        raise Problem(f"Odoo could not install {modules}: see {log.path}.")


def shop(environment: Environment, cluster: Cluster) -> str:
    """Return the demo's database, made or brought up to date if need be."""
    source = template(environment, cluster)
    name = f"demo_{environment.series}"
    base, addon = f"{remark(cluster, source)}+{_PAYMENT}", _fingerprint()
    found = remark(cluster, name) or ""
    if found == f"{base} {addon}":
        return name
    if found.partition(" ")[0] == base:
        install(environment, name, option="-u")
    else:
        drop(environment, cluster, name)
        copy(environment, cluster, source, name)
        install(environment, name, modules=f"{ADDON},{_PAYMENT}")
    set_remark(cluster, name, f"{base} {addon}")
    return name


def _fingerprint() -> str:
    """Digest the files that Odoo loads; a change in them calls for an update."""
    digest = hashlib.sha256()
    for part in sorted(SHIPPED):
        top = ROOT / part
        paths = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in paths:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(os.fsencode(path.relative_to(ROOT)) + path.read_bytes())
    return digest.hexdigest()[:16]


def install(
    environment: Environment,
    database: str,
    script: str = "",
    option: str = "-i",
    modules: str = ADDON,
) -> Log:
    """Install or update the addon, then run a script in Odoo; return the log."""
    log = Log(environment.folder / "log" / "install.log")
    with step(f"{'Installing' if option == '-i' else 'Updating'} {ADDON}"):
        code = load(environment, log, database, option, modules)
        if script and not code:
            code = run_in_odoo(environment, log, database, script)
    if code:
        log.show_end()
        raise Problem(f"Odoo could not load the addon: see {log.path}.")
    return log


@contextmanager
def fresh(
    environment: Environment, purpose: str, with_apps: bool = False
) -> Iterator[tuple[Cluster, str]]:
    """Have the server up, and a database with the dependencies for as long as needed."""
    with postgres.running() as cluster:
        environment.write_config(cluster.socket)
        make = template_of_apps if with_apps else template
        source = make(environment, cluster)
        with clone(environment, cluster, source, purpose) as database:
            yield cluster, database


@contextmanager
def clone(
    environment: Environment, cluster: Cluster, source: str, purpose: str
) -> Iterator[str]:
    """Give a copy of a database for as long as this run needs it."""
    sweep(environment, cluster)
    name = f"{purpose}_{environment.series}_{os.getpid()}"
    copy(environment, cluster, source, name)
    try:
        yield name
    finally:
        drop(environment, cluster, name)


def copy(environment: Environment, cluster: Cluster, source: str, name: str) -> None:
    cluster.sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    files = environment.filestore(source)
    if files.exists():
        # Files of the store are named by their content, and never changed.
        shutil.copytree(files, environment.filestore(name), copy_function=os.link)


def drop(environment: Environment, cluster: Cluster, name: str) -> None:
    cluster.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    remove(environment.filestore(name))


def sweep(environment: Environment, cluster: Cluster) -> None:
    """Drop the copies that runs which were killed have left."""
    for name in cluster.sql("SELECT datname FROM pg_database"):
        owner = name.rpartition("_")[2]
        if f"_{environment.series}_" not in name or not owner.isdigit():
            continue
        if not Path("/proc", owner).exists():
            drop(environment, cluster, name)
