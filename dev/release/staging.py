"""A copy of the addon as it ships, in a folder of its technical name."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from ..console import Problem
from ..layout import ADDON, ROOT


@contextmanager
def staged() -> Iterator[Path]:
    """Give the working tree as `git archive` would pack it, new files included.

    Two tools need it: whool takes the folder's name for the addon's and every tracked
    file into the wheel; oca-checks-odoo-module finds nothing, and says nothing, where
    the addon is the top of a repository. It must lie outside of any repository.
    """
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary, ADDON)
        packed = _pack(Path(temporary))
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(target)
        yield target


def uncommitted() -> bool:
    """Tell whether the working tree differs from the last commit."""
    return bool(_git("status", "--porcelain").strip())


def _pack(scratch: Path) -> bytes:
    """Return a tar of all files, made with an index and objects in ``scratch``."""
    objects = _git("rev-parse", "--git-path", "objects").decode().strip()
    (scratch / "objects").mkdir()
    env = {
        "GIT_INDEX_FILE": str(scratch / "index"),
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((ROOT / objects).resolve()),
    }
    _git("add", "--all", env=env)
    tree = _git("write-tree", env=env).decode().strip()
    return _git("archive", "--worktree-attributes", tree, env=env)


def _git(*arguments: str, env: Mapping[str, str] | None = None) -> bytes:
    try:
        done = subprocess.run(
            ("git", *arguments),
            cwd=ROOT,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise Problem("The program 'git' is missing: install it.") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise Problem(f"git {arguments[0]} failed, a clone is needed: {reason}")
    return done.stdout


def main(command: list[str]) -> int:
    """Run a command on the staged copy; what it prints names the real files."""
    with staged() as addon:
        done = subprocess.run(
            (*command, addon.name),
            cwd=addon.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(done.stdout.replace(f"{str(addon).lstrip('/')}/", ""), end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
