"""Where everything is kept: the ignored folder of the checkout, and one cache."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .console import Problem

ADDON = "ih_meta_conversions_api"
# What of the repository is the addon once it is installed.
SHIPPED = {
    *("__init__.py", "__manifest__.py", "README.md", "LICENSE"),
    *("capi", "controllers", "data", "docs", "i18n", "migrations", "models"),
    *("security", "static", "views", "wizards"),
}
SERIES = ("17.0", "18.0", "19.0")
DEFAULT_SERIES = "19.0"

ROOT = Path(__file__).resolve().parent.parent
DEV = ROOT / ".dev"
ADDONS = DEV / "addons"
REQUIREMENTS = ROOT / "dev" / "requirements"

_USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
# Shared with whoever else works on Odoo on this machine.
ODOO_SOURCES = _USER_CACHE / "odoo-sources"
# Ours alone: downloads that `make clean` need not throw away.
CACHE = _USER_CACHE / ADDON


def prepare() -> None:
    """Make our folders, and the addon visible under its technical name."""
    for folder in (DEV, ADDONS, CACHE, ODOO_SOURCES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(f"The folder {folder} cannot be made: {error}.") from None
    # A checkout may have any name, Odoo takes the folder's name for the addon's.
    link = ADDONS / ADDON
    if not link.is_symlink():
        link.symlink_to(Path("..", ".."))


@contextmanager
def exclusive(name: str, otherwise: str | None = None) -> Iterator[None]:
    """Keep two runs in one checkout from doing the same thing at once.

    :param otherwise: what the second one is told; without it, it waits
    """
    with (DEV / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if otherwise else 0))
        except BlockingIOError:
            raise Problem(otherwise or "") from None
        yield


def remove(path: Path) -> None:
    """Remove a file, link or folder, if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def arriving(target: Path) -> Iterator[Path]:
    """Give a temporary path that becomes ``target`` only if all went well.

    What was interrupted half-way is thus never taken for the finished thing.
    """
    temporary = target.with_name(f".{target.name}.partial-{os.getpid()}")
    remove(temporary)
    try:
        yield temporary
        remove(target)
        temporary.rename(target)
    finally:
        remove(temporary)
