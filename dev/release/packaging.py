"""`make dist`, the wheel; `make pot` and `make release-check`, its translations."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .. import tools
from ..console import Problem, run, say, step
from ..layout import ADDON, ROOT, SHIPPED
from ..odoo import databases, environment
from .staging import staged, uncommitted

_REPORT = "report.json"
# By the wizard of the settings, which is the same on all series. What is no term any more
# stays in a language's file as a comment, for whoever translates what came in its place.
_RENEW = """
import base64, json, polib
from pathlib import Path
folder = Path({folder!r})
template = folder / "{addon}.pot"
known = {{entry.msgid for entry in polib.pofile(str(template))}}
module = env["ir.module.module"].search([("name", "=", "{addon}")])
wizard = env["base.language.export"].create(
    {{"lang": "__new__", "format": "po", "modules": [(6, 0, module.ids)]}}
)
wizard.act_getfile()
template.write_bytes(base64.b64decode(wizard.data))
terms = polib.pofile(str(template))
lacking = {{}}
for path in sorted(folder.glob("*.po")):
    catalogue = polib.pofile(str(path))
    catalogue.merge(terms)
    catalogue.save()
    done = {{entry.msgid for entry in catalogue.translated_entries()}}
    lacking[path.stem] = [entry.msgid for entry in terms if entry.msgid not in done]
report = {{
    "changed": sorted(known ^ {{entry.msgid for entry in terms}}),
    "lacking": lacking,
}}
(folder / {report!r}).write_text(json.dumps(report))
"""


@dataclass(frozen=True)
class _Renewed:
    """A copy of `i18n/` that has the terms Odoo finds by now."""

    folder: Path
    # The terms that are in the template of the working tree or in the new one, not both.
    changed: list[str]
    # By language, the terms that have no translation.
    lacking: dict[str, list[str]]


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
    } - SHIPPED
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
    """Renew the template in `i18n/`, and add its new terms to each language's file."""
    with _renewed(series) as renewed:
        for path in renewed.folder.glob("*.po*"):
            shutil.copyfile(path, ROOT / "i18n" / path.name)
    for language, terms in renewed.lacking.items():
        if terms:
            say(f"{language}: {len(terms)} terms are not translated.")
    say("i18n/ has the terms of the code.")
    return 0


def check_release(series: str) -> int:
    """List what a release must not lack: terms in the template, and translations."""
    with _renewed(series) as renewed:
        languages: dict[str, list[str]] = {}
        for language, terms in renewed.lacking.items():
            for term in terms:
                languages.setdefault(term, []).append(language)
    for term, lacking in languages.items():
        say(f"Not translated in {', '.join(lacking)}: {term!r}")
    if renewed.changed:
        say(f"Terms that `make pot` adds or drops: {len(renewed.changed)}")
    if renewed.changed or languages:
        raise Problem("This is not to be released: see above.")
    say(f"All terms are translated: {', '.join(renewed.lacking)}.")
    return 0


@contextmanager
def _renewed(series: str) -> Iterator[_Renewed]:
    """Give the translations as `make pot` would have them; the working tree stays."""
    odoo = environment.get(series)
    with databases.fresh(odoo, "pot") as (cluster, database), staged() as addon:
        # Not through our link: Odoo follows links as it looks for source, and ours
        # leads back to itself.
        config = addon.parent / "odoo.conf"
        config.write_text(odoo.config_for(cluster.socket, addon.parent))
        folder = addon / "i18n"
        script = _RENEW.format(addon=ADDON, folder=str(folder), report=_REPORT)
        log = databases.install(replace(odoo, config=config), database, script)
        if not (folder / _REPORT).exists():
            log.show_end()
            raise Problem(f"Odoo could not export the terms: see {log.path}.")
        yield _Renewed(folder, **json.loads((folder / _REPORT).read_text()))
