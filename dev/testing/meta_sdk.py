"""Meta's own library for Python, which a test compares `capi/` with."""

from __future__ import annotations

from pathlib import Path

from .. import tools
from ..console import Problem, say, step
from ..layout import DEV, REQUIREMENTS, arriving, exclusive

_REQUIREMENTS = REQUIREMENTS / "meta-sdk.txt"
FOLDER = DEV / "tools" / "meta-sdk"
NORMALIZER = FOLDER / "facebook_business" / "adobjects" / "serverside" / "normalize.py"


def get(venv: Path) -> None:
    """Install it for the Python of `venv`; without network, the test is skipped."""
    wanted = _REQUIREMENTS.read_text()
    stamp = FOLDER / ".made-from"
    with exclusive("meta-sdk"):
        if stamp.exists() and stamp.read_text() == wanted:
            return
        try:
            with (
                step("Getting Meta's own library, to compare with"),
                arriving(FOLDER) as new,
            ):
                tools.install(
                    venv, "--quiet", "--no-deps", "--target", new, "-r", _REQUIREMENTS
                )
                (new / stamp.name).write_text(wanted)
        except Problem as problem:
            say(f"    {problem} The comparison is skipped.")
