"""`make screenshots`: the pages of a seeded shop, as pictures for the README."""

from __future__ import annotations

import os
from pathlib import Path

from .. import tools
from ..console import Problem, run, say
from ..layout import ROOT, exclusive
from ..odoo import databases, debian, environment
from ..odoo.server import serving

_SEED = Path(__file__).with_name("seed.py")
_CAMERA = "dev.pictures.camera"
_TARGET = ROOT / "static" / "description" / "images"
# What the README shows; with a folder of one's own all pages are taken.
_SHOWN = ("overview", "overview-phone", "list", "form", "settings")


def screenshots(series: str, target: Path | None = None) -> int:
    """Seed a database of its own and take the pictures; the database goes again."""
    chosen = () if target else _SHOWN
    target = target or _TARGET
    # Without the browsers that it brings along.
    python = tools.python_with("playwright", "playwright")
    chromium = debian.browser()
    if not chromium:
        raise Problem("Install Chromium or Chrome: the pictures are taken with it.")
    odoo = environment.get(series)
    with (
        exclusive(f"screenshots_{series}"),
        databases.fresh(odoo, "screenshots") as (_cluster, database),
    ):
        say("==> Giving a shop a past")
        log = databases.install(odoo, database, _SEED.read_text())
        if log.bad:
            raise Problem(f"The shop could not be seeded: see {log.path}.")
        with serving(odoo, database, port=0) as server:
            target.mkdir(parents=True, exist_ok=True)
            run(
                (python, "-m", _CAMERA, server.url, database, series)
                + (target.resolve(), chromium, *chosen),
                cwd=ROOT,
                otherwise="The pictures could not be taken.",
            )
    say(f"The pictures are in {os.path.relpath(target, Path.cwd())}")
    return 0
