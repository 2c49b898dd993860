"""`make dist`: the wheel, and `make pot`: the template of its translations."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from . import databases, environment, postgres, tools
from .console import Problem, run, say, step
from .environment import Environment
from .layout import ADDON, ROOT
from .odoo_log import Log
from .staging import staged, uncommitted

# What may lie at the top of the addon once it is installed.
_SHIPPED = {
    *("__init__.py", "__manifest__.py", "README.md", "LICENSE"),
    *("capi", "controllers", "data", "i18n", "migrations", "models"),
    *("security", "static", "views", "wizards"),
}
# By the wizard of the settings, which is the same on all series.
_EXPORT = """
import base64
module = env["ir.module.module"].search([("name", "=", {addon!r})])
wizard = env["base.language.export"].create(
    {{"lang": "__new__", "format": "po", "modules": [(6, 0, module.ids)]}}
)
wizard.act_getfile()
open({path!r}, "wb").write(base64.b64decode(wizard.data))
"""


def build_wheel() -> int:
    """Build one wheel, which installs on all series, into `dist/`."""
    if uncommitted():
        say("Note: the wheel holds changes that are not committed.")
    target = ROOT / "dist"
    target.mkdir(exist_ok=True)
    with staged() as addon:
        with step("Building the wheel"):
            run(
                (tools.uv(), "build", "--wheel", "--quiet", "-o", target, addon),
                env=tools.environ(),
                otherwise="The wheel could not be built.",
            )
    wheel = max(target.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    with zipfile.ZipFile(wheel) as archive:
        inside = f"odoo/addons/{ADDON}/"
        names = [name.removeprefix(inside) for name in archive.namelist()]
    strangers = {
        name.partition("/")[0] for name in names if ".dist-info/" not in name
    } - _SHIPPED
    if strangers:
        raise Problem(
            f"The wheel has what is no part of the addon: {', '.join(sorted(strangers))};"
            " mark it export-ignore in .gitattributes."
        )
    say(
        f"{wheel.relative_to(ROOT)}  {wheel.stat().st_size / 1024:.0f} kB, {len(names)} files"
    )
    return 0


def export_pot(series: str) -> int:
    """Write `i18n/ih_meta_conversions_api.pot` from what Odoo finds to translate."""
    odoo = environment.get(series)
    target = ROOT / "i18n" / f"{ADDON}.pot"
    with postgres.running() as cluster, staged() as addon:
        odoo.write_config(cluster.socket)
        template = databases.template(odoo, cluster)
        with databases.clone(odoo, cluster, template, "pot") as database:
            # Not through our link: Odoo follows links as it looks for source, and
            # ours leads back to itself.
            config = addon.parent / "odoo.conf"
            config.write_text(odoo.config_for(cluster.socket, addon.parent))
            exported = addon.parent / "exported.pot"
            _export(replace(odoo, config=config), database, exported)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(exported, target)
    say(f"{target.relative_to(ROOT)} is written.")
    return 0


def _export(odoo: Environment, database: str, exported: Path) -> None:
    log = Log(odoo.folder / "log" / "pot.log")
    code = databases.run_odoo(
        odoo,
        log,
        *("-c", odoo.config, "-d", database, "-i", ADDON),
        *("--stop-after-init", "--no-http"),
    ) or databases.run_in_odoo(
        odoo, log, database, _EXPORT.format(addon=ADDON, path=str(exported))
    )
    if code or not exported.exists():
        log.show_end()
        raise Problem(f"Odoo could not export the terms: see {log.path}.")
