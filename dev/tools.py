"""uv, and the small virtual environments that the tooling itself runs from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from .console import Problem, run, say, step, succeeds
from .layout import CACHE, DEV, arriving, exclusive, remove
from .odoo.debian import install_system_package

_NO_INDEX = (
    "The Python packages could not be installed: check the network, or the index that"
    " PIP_INDEX_URL or UV_DEFAULT_INDEX names."
)


def environ() -> dict[str, str]:
    """Our environment, with the caches of uv, pip and pre-commit kept in ours."""
    env = os.environ | {
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "PRE_COMMIT_HOME": str(CACHE / "pre-commit"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": os.environ.get("UV_NO_CONFIG", "0"),
        # The cache may be on another disk than the checkout.
        "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    # A virtual environment that happens to be active is not ours to change.
    env.pop("VIRTUAL_ENV", None)
    index = env.get("PIP_INDEX_URL") or _configured_index()
    if index:
        env.setdefault("UV_DEFAULT_INDEX", index)
    return env


@lru_cache
def _configured_index() -> str | None:
    """Return the package index that pip is configured with; uv does not look there."""
    asked = subprocess.run(
        (sys.executable, "-m", "pip", "config", "list"),
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^(?:global|install)\.index-url='(.*)'$", asked.stdout, re.M)
    return found[1] if found else None


@lru_cache
def uv() -> Path:
    """Return uv: the machine's, else our own copy."""
    on_path = shutil.which("uv")
    if on_path:
        return Path(on_path)
    own = DEV / "bootstrap"
    for program in (own / "bin" / "uv", own / "lib" / "bin" / "uv"):
        if succeeds((program, "--version")):
            return program
    say("==> Getting uv, which installs the Python packages")
    with arriving(own) as folder:
        if not succeeds((sys.executable, "-m", "ensurepip", "--version")):
            # Debian splits venv off; pip alone will do, if it is there.
            version = f"python{sys.version_info.major}.{sys.version_info.minor}"
            if not (
                succeeds((sys.executable, "-m", "pip", "--version"))
                or install_system_package("python3-pip", "to install uv")
            ):
                raise Problem(
                    f"Neither uv, nor pip, nor {version}-venv is installed: install one."
                )
        folder.mkdir()
        _install_uv(folder / "lib")
    return own / "lib" / "bin" / "uv"


def _install_uv(target: Path) -> None:
    """Install uv into a plain folder; with the system's pip, or a throw-away one."""
    pip: tuple[str | Path, ...] = (sys.executable, "-m", "pip")
    if not succeeds((*pip, "--version")):
        throw_away = target.with_name("venv")
        run(
            (sys.executable, "-m", "venv", throw_away),
            quiet=True,
            otherwise="Python could not make a virtual environment: install uv.",
        )
        pip = (throw_away / "bin" / "python", "-m", "pip")
    run(
        (*pip, "install", "--quiet", "--target", target, "uv"),
        env=environ(),
        quiet=True,
        otherwise=_NO_INDEX,
    )


def make_venv(target: Path) -> None:
    """Make an empty virtual environment of the Python that runs us."""
    run(
        (uv(), "venv", "--quiet", "--no-project", "--python", sys.executable, target),
        env=environ(),
        otherwise="The virtual environment could not be made.",
    )


def install(venv: Path, *arguments: str | Path) -> None:
    """Install packages; uv tells what it downloads."""
    run(
        (uv(), "pip", "install", "--python", venv / "bin" / "python", *arguments),
        env=environ(),
        otherwise=_NO_INDEX,
    )


def python_with(name: str, *wanted: str | Path) -> Path:
    """Return the Python of a small virtual environment of its own.

    :param wanted: packages, and files that list some; with others, it is made anew
    """
    venv = DEV / "tools" / name
    stamp = venv / ".made-from"
    lists = [one for one in wanted if isinstance(one, Path)]
    recipe = "\n".join(o if isinstance(o, str) else o.read_text() for o in wanted)
    with exclusive(f"tools-{name}"):
        if not stamp.exists() or stamp.read_text() != recipe:
            with step(f"Getting {name}"):
                remove(venv)
                make_venv(venv)
                for one in wanted:
                    install(venv, "--quiet", *(("-r",) if one in lists else ()), one)
            stamp.write_text(recipe)
    return venv / "bin" / "python"


def program(package: str, name: str | None = None) -> Path:
    """Return a program of a Python package, installed on its own the first time."""
    return python_with(package, package).with_name(name or package)
