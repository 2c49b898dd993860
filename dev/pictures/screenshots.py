"""`make screenshots`: the pages of a seeded shop, as pictures for the README."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .. import tools
from ..console import Problem, run, say, step
from ..layout import ADDON, DEV, ROOT, exclusive
from ..odoo import databases, environment, postgres
from ..odoo.log import Log
from ..odoo.server import serving

_SEED = Path(__file__).with_name("seed.py")
_CAMERA = Path(__file__).with_name("camera.py")
_TARGET = ROOT / "static" / "description" / "images"
# What the README shows; with a folder of one's own all pages are taken.
_SHOWN = ("overview", "overview-phone", "list", "form", "settings")


def screenshots(series: str, target: Path | None = None) -> int:
    """Seed a database of its own and take the pictures; the database goes again."""
    chosen = () if target else _SHOWN
    target = target or _TARGET
    python = _playwright()
    odoo = environment.get(series)
    with exclusive(f"screenshots_{series}"), postgres.running() as cluster:
        odoo.write_config(cluster.socket)
        template = databases.template(odoo, cluster)
        with databases.clone(odoo, cluster, template, "screenshots") as database:
            _install(odoo, database)
            with serving(odoo, database, port=0) as server:
                target.mkdir(parents=True, exist_ok=True)
                run(
                    (python, _CAMERA, server.url, series, target, _chromium(), *chosen),
                    env=os.environ,
                    otherwise="The pictures could not be taken.",
                )
    say(f"The pictures are in {os.path.relpath(target, Path.cwd())}")
    return 0


def _install(odoo: environment.Environment, database: str) -> None:
    log = Log(odoo.folder / "log" / "screenshots.log")
    with step(f"Installing {ADDON} and giving the shop a past"):
        code = databases.run_odoo(
            odoo,
            log,
            *("-c", odoo.config, "-d", database, "-i", ADDON),
            *("--stop-after-init", "--no-http"),
        )
        code = code or databases.run_in_odoo(odoo, log, database, _SEED.read_text())
    if code or log.bad:
        log.show_end()
        raise Problem(f"The shop could not be seeded: see {log.path}.")


def _playwright() -> Path:
    """Return a Python that has Playwright, without the browsers it brings along."""
    venv = DEV / "tools" / "playwright"
    python = venv / "bin" / "python"
    probe = (python, "-c", "import playwright")
    if (
        not python.exists()
        or subprocess.run(probe, check=False, capture_output=True).returncode
    ):
        say("==> Getting playwright")
        tools.make_venv(venv)
        tools.install(venv, "--quiet", "playwright")
    return python


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    raise Problem("Install Chromium or Chrome: the pictures are taken with it.")
