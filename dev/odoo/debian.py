"""Packages of Debian: Odoo's own unpacked without root, a system's as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..console import Problem, run, say

# FontAwesome is taken from bookworm, because the newer package renamed its files.
_OLD_RELEASE = "bookworm"
_FROM_OLD_RELEASE = {"fonts-font-awesome"}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_NO_NETWORK = (
    "Debian's package archive did not answer: check the network, or set"
    " ODOO_SOURCE=/path/to/odoo to use a tree you have."
)


def is_root() -> bool:
    return os.geteuid() == 0


def install_system_package(package: str, why: str) -> bool:
    """Install a missing system package where we may; tell whether it was done."""
    if not (is_root() and shutil.which("apt-get")):
        return False
    say(f"==> Installing the system package {package} with apt ({why})")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-qq", "-y", "--no-install-recommends", package)
    failure = f"The system package {package} could not be installed: install it."
    try:
        run(install, env=env, quiet=True, otherwise=failure)
    except Problem:
        # A fresh container knows no package yet, an old one only gone versions.
        run(("apt-get", "update", "-qq"), quiet=True, otherwise=_NO_NETWORK)
        run(install, env=env, quiet=True, otherwise=failure)
    return True


def browser() -> str | None:
    """Return the path of Chromium or Chrome, which is installed where we may."""
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    if not install_system_package("chromium", "for what is looked at in a browser"):
        return None
    return shutil.which("chromium")


class Archive:
    """Debian's archive seen through lists and caches of our own.

    The machine's apt configuration is read, for the address of the archive it
    already uses, but never changed; no root is needed.
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        self.lists = work / "lists"
        for name in ("lists/partial", "cache/archives/partial", "none"):
            (work / name).mkdir(parents=True, exist_ok=True)
        (work / "status").touch()

    @staticmethod
    def is_reachable_from_here() -> bool:
        """Tell whether this machine has apt and dpkg at all."""
        return all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb")))

    def open(self) -> bool:
        """Read the package lists; False if this machine is not a Debian."""
        address = self._address()
        if not address:
            return False
        keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        signed = f"[signed-by={keyring}] " if keyring.exists() else ""
        (self.work / "sources.list").write_text(
            f"deb {signed}{address} sid main\n"
            f"deb {signed}{address} {_OLD_RELEASE} main\n"
        )
        run((*self._apt("apt-get"), "update", "-qq"), quiet=True, otherwise=_NO_NETWORK)
        return True

    def unpack(self, package: str, root: Path) -> None:
        """Download a package with its scripts and fonts, and unpack them."""
        listing = run(
            (*self._apt("apt-cache"), "depends", "--important", package),
            quiet=True,
            otherwise=f"Debian has no package {package} any more.",
        )
        names = [
            line.split()[-1] for line in listing.splitlines() if "Depends:" in line
        ]
        wanted = [name for name in names if name.startswith(("libjs-", "fonts-"))]
        run(
            (
                *self._apt("apt-get"),
                "download",
                package,
                *(
                    f"{name}/{_OLD_RELEASE}" if name in _FROM_OLD_RELEASE else name
                    for name in wanted
                ),
            ),
            cwd=self.work,
            otherwise=_NO_NETWORK,
        )
        root.mkdir(parents=True)
        for archive in sorted(self.work.glob("*.deb")):
            run(
                ("dpkg-deb", "-x", archive, root),
                quiet=True,
                otherwise=f"{archive.name} could not be unpacked.",
            )
        _point_links_into(root)

    def _address(self) -> str | None:
        """Return the address of the Debian archive that this machine's apt uses."""
        listing = self._targets()
        if not listing:
            # No lists on a fresh machine: fetch them, to our own folder.
            own = ("-o", f"Dir::State::Lists={self.lists}")
            subprocess.run(
                ("apt-get", *own, "update", "-qq"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            listing = self._targets(*own)
        for line in listing:
            label, _, address = line.partition(" ")
            if label == "Debian":
                return address
        return None

    @staticmethod
    def _targets(*options: str) -> list[str]:
        done = subprocess.run(
            ("apt-get", *options, "indextargets", "--format", "$(LABEL) $(REPO_URI)"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.splitlines()

    def _apt(self, program: str) -> Sequence[str]:
        options = {
            "Dir::Etc::SourceList": self.work / "sources.list",
            "Dir::Etc::SourceParts": self.work / "none",
            "Dir::Etc::Preferences": self.work / "none" / "preferences",
            "Dir::Etc::PreferencesParts": self.work / "none",
            "Dir::State::Lists": self.lists,
            "Dir::State::Status": self.work / "status",
            "Dir::Cache": self.work / "cache",
            "Acquire::Languages": "none",
            # Else an update without a network is a success.
            "APT::Update::Error-Mode": "any",
            # As root apt would download as a user that cannot enter our folders.
            "APT::Sandbox::User": "",
        }
        pairs = [("-o", f"{name}={value}") for name, value in options.items()]
        return (program, *(word for pair in pairs for word in pair))


def _point_links_into(root: Path) -> None:
    """Turn absolute links between the packages into links inside ``root``.

    Odoo's package links jQuery, underscore and its fonts in other packages; left
    alone, they would point at nothing, and every page would be an error 500.
    """
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            link = Path(folder, name)
            if not link.is_symlink():
                continue
            target = Path(os.readlink(link))
            inside = root / target.relative_to("/") if target.is_absolute() else target
            if target.is_absolute() and inside.exists():
                link.unlink()
                link.symlink_to(os.path.relpath(inside, link.parent))
