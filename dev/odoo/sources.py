"""Odoo's source: found on this machine, or fetched once into the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..console import Problem, need_disk, run, say, step
from ..layout import CACHE, ODOO_SOURCES, arriving, remove
from .debian import Archive

_UPSTREAM = "https://github.com/odoo/odoo"
_DEBIAN_PACKAGES = {"19.0": "odoo-19"}


@dataclass(frozen=True)
class OdooSource:
    """A tree of Odoo, however it is laid out."""

    series: str
    python_path: Path  # the folder that has the package `odoo`
    addons_paths: tuple[Path, ...]
    requirements: Path | None

    @property
    def identity(self) -> str:
        """A text that changes when the tree does; cheap, so not a full hash."""
        release = (self.python_path / "odoo" / "release.py").read_bytes()
        commit = ""
        # A tree inside another repository would tell that repository's commit.
        if (self.python_path / ".git").exists():
            commit = run(
                ("git", "-C", self.python_path, "rev-parse", "HEAD"),
                quiet=True,
                otherwise=f"git cannot read the clone {self.python_path}.",
            )
        return f"{self.python_path} {hashlib.sha256(release).hexdigest()} {commit}"


def inspect(tree: Path) -> OdooSource | None:
    """Recognise a tree: a clone of upstream, its packed form, or Debian's package."""
    for base in (tree, tree / "usr/lib/python3/dist-packages"):
        release = base / "odoo" / "release.py"
        if not release.is_file():
            continue
        version = re.search(r"version_info = \(\D*(\d+), (\d+)", release.read_text())
        if not version:
            continue
        addons = (base / "addons", base / "odoo" / "addons")
        requirements = base / "requirements.txt"
        return OdooSource(
            series=f"{version[1]}.{version[2]}",
            python_path=base,
            addons_paths=tuple(path for path in addons if path.is_dir()),
            requirements=requirements if requirements.is_file() else None,
        )
    return None


def find(series: str) -> OdooSource | None:
    """Return the tree that is already here: ``ODOO_SOURCE``, else the cache's."""
    given = os.environ.get("ODOO_SOURCE")
    tree = Path(given).expanduser().resolve() if given else ODOO_SOURCES / series
    source = inspect(tree)
    if given and not source:
        raise Problem(
            f"ODOO_SOURCE={given} is no tree of Odoo: it has no odoo/release.py."
        )
    if source and source.series != series:
        raise Problem(
            f"{tree} holds Odoo {source.series}, not {series}: say ODOO={source.series},"
            " or point ODOO_SOURCE at another tree."
        )
    return source


def get(series: str) -> OdooSource:
    """Return Odoo's tree, fetched first if it is not here yet."""
    source = find(series)
    if source:
        return source
    need_disk(ODOO_SOURCES, 2, f"Odoo {series}")
    target = ODOO_SOURCES / series
    if not _fetch_from_debian(series, target):
        _fetch_from_upstream(series, target)
    source = find(series)
    if not source:
        raise Problem(f"{target} is no tree of Odoo: remove it and run this again.")
    return source


def _fetch_from_debian(series: str, target: Path) -> bool:
    package = _DEBIAN_PACKAGES.get(series)
    if not package or not Archive.is_reachable_from_here():
        return False
    work = CACHE / f"debian-{os.getpid()}"
    try:
        archive = Archive(work)
        with step(f"Downloading Odoo {series}: Debian's package {package}, 130 MB"):
            if not archive.open():
                say("    this is no Debian: taking it from upstream instead")
                return False
            with arriving(target) as root:
                archive.unpack(package, root)
    except Problem as problem:
        say(f"    {problem}")
        return False
    finally:
        remove(work)
    return True


def _fetch_from_upstream(series: str, target: Path) -> None:
    if not shutil.which("git"):
        raise Problem("The program 'git' is missing: install it.")
    with (
        step(f"Cloning Odoo {series} from upstream (about 250 MB)"),
        arriving(target) as tree,
    ):
        run(
            ("git", "clone", "--progress", "--depth", "1", "--branch", series)
            + (_UPSTREAM, str(tree)),
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
            otherwise=f"Odoo {series} could not be downloaded: check the network, or"
            " set ODOO_SOURCE=/path/to/odoo to use a tree you have.",
        )
