"""One series of Odoo made ready to run: virtual environment, launcher, settings."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from .. import tools
from ..console import need_disk, step
from ..layout import ADDONS, DEV, REQUIREMENTS, exclusive, remove
from . import sources

# Needed for nothing here; the first two need a compiler and a C library each.
_UNNEEDED = re.compile(r"(python-ldap|psycopg2|ebaysdk|pypiwin32|rl-renderPM)\b", re.I)
# Odoo imports pkg_resources, which newer ones no longer have; and a pinned cbor2
# has no wheels.
_REPLACED = ("setuptools<81", "psycopg2-binary", "cbor2", "asn1crypto")
# What differs between the series: what the server loads at once, and no demo data.
_SETTINGS = {
    "17.0": ("base,web,queue_job", "without_demo = all"),
    "18.0": ("base,web,queue_job", "without_demo = all"),
    "19.0": ("base,rpc,web,queue_job", "with_demo = False"),
}


@dataclass(frozen=True)
class Environment:
    """What it takes to run Odoo of one series on the addon."""

    source: sources.OdooSource
    identity: str
    config: Path

    @property
    def series(self) -> str:
        return self.source.series

    @property
    def folder(self) -> Path:
        return DEV / self.series

    @property
    def venv(self) -> Path:
        return self.folder / "venv"

    @property
    def launcher(self) -> Path:
        return self.folder / "odoo"

    @property
    def command(self) -> tuple[str | Path, ...]:
        """What starts Odoo with its settings."""
        return self.launcher, "-c", self.config

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def filestore(self, database: str) -> Path:
        return self.data / "filestore" / database

    def write_config(self, socket: Path) -> None:
        """Write the settings that every Odoo of this series is started with."""
        self.data.mkdir(exist_ok=True)
        # At no moment is it missing or half there: another run may be starting Odoo.
        new = self.config.with_suffix(f".{os.getpid()}")
        new.write_text(self.config_for(socket, ADDONS))
        new.replace(self.config)

    def config_for(self, socket: Path, addons: Path) -> str:
        """Return settings with the addon taken from the folder ``addons``."""
        site_packages = next((self.venv / "lib").glob("python3.*/site-packages"))
        paths = (addons, *self.source.addons_paths, site_packages / "odoo" / "addons")
        server_wide, no_demo_data = _SETTINGS[self.series]
        return f"""\
[options]
addons_path = {",".join(map(str, paths))}
data_dir = {self.data}
db_host = {socket}
db_port = 5432
db_user = odoo
http_interface = 127.0.0.1
server_wide_modules = {server_wide}
{no_demo_data}

[queue_job]
channels = root:2,root.meta_capi:1
"""


def get(series: str) -> Environment:
    """Return the environment of a series, made or brought up to date first."""
    with exclusive(f"source-{series}"):
        source = sources.get(series)
    requirements = _requirements(source)
    recipe = "\n".join(
        (source.identity, sys.version, str(DEV), _queue_job(source), *requirements)
    )
    environment = Environment(
        source,
        identity=hashlib.sha256(recipe.encode()).hexdigest()[:16],
        config=DEV / series / "odoo.conf",
    )
    with exclusive(f"venv-{series}"):
        stamp = environment.venv / ".made-from"
        if not stamp.exists() or stamp.read_text() != environment.identity:
            need_disk(DEV, 1, f"The virtual environment of Odoo {series}")
            with step(f"Installing the Python packages of Odoo {series}"):
                _make(environment, requirements)
            stamp.write_text(environment.identity)
    return environment


def _requirements(source: sources.OdooSource) -> list[str]:
    """List what Odoo and the addon import."""
    lines = (REQUIREMENTS / "addon.txt").read_text().splitlines()
    own = REQUIREMENTS / f"odoo-{source.series}.txt"
    if own.exists():
        lines += own.read_text().splitlines()
    elif source.requirements:
        lines += [
            line
            for line in source.requirements.read_text().splitlines()
            if not _UNNEEDED.match(line) and not re.match(r"(cbor2|asn1crypto)\b", line)
        ]
        lines += _REPLACED
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _queue_job(source: sources.OdooSource) -> str:
    """Name the newest queue_job that the tree can run the test kit of."""
    requirement = f"odoo-addon-queue_job=={source.series}.*"
    kit = (source.python_path / "odoo" / "tests" / "common.py").read_text()
    if source.series == "18.0" and "SETATTR_SOURCES" not in kit:
        # A tree from before August 2025.
        requirement += ",<18.0.3"
    return requirement


def _make(environment: Environment, requirements: list[str]) -> None:
    venv = environment.venv
    remove(venv)
    environment.folder.mkdir(exist_ok=True)
    tools.make_venv(venv)
    wanted = environment.folder / "requirements.txt"
    wanted.write_text("\n".join(requirements) + "\n")
    tools.install(venv, "--quiet", "-r", wanted)
    # Its requirement "odoo" is the tree beside it, which pip knows nothing of.
    tools.install(venv, "--quiet", "--no-deps", _queue_job(environment.source))
    site_packages = next((venv / "lib").glob("python3.*/site-packages"))
    tree = environment.source.python_path
    (site_packages / "odoo-source.pth").write_text(f"{tree}\n")
    # Workers start their gevent sibling with sys.argv[0], so it must be a file.
    main = venv / "bin" / "odoo-main.py"
    main.write_text(
        '"""Start Odoo, in UTC as it expects."""\n\n'
        "import os\n\n"
        'os.environ["TZ"] = "UTC"\n\n'
        "import odoo.cli\n\n"
        'if __name__ == "__main__":\n'
        "    odoo.cli.main()\n"
    )
    python = venv / "bin" / "python"
    # Byte code is kept, but out of the source: that may be somebody's own tree.
    environment.launcher.write_text(
        "#!/bin/sh\n"
        "unset PYTHONDONTWRITEBYTECODE\n"
        f"export PYTHONPYCACHEPREFIX={shlex.quote(str(environment.folder / 'pycache'))}\n"
        f'exec {shlex.quote(str(python))} {shlex.quote(str(main))} "$@"\n'
    )
    environment.launcher.chmod(0o755)
