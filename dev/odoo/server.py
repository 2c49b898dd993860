"""A real Odoo server: worker processes, the queue's runner and crons."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..console import Problem, quote, say, until
from .client import OdooClient
from .databases import environ
from .environment import Environment


@dataclass(frozen=True)
class Server:
    """A running Odoo."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Raise ``Problem`` if it has died."""
        code = self.process.poll()
        if code is not None:
            quote(self.log.read_text(errors="replace").splitlines()[-15:])
            raise Problem(f"Odoo ended with exit code {code}: see {self.log}.")


def choose_port(preferred: int = 0) -> int:
    """Return the port people expect, or a free one if somebody has it.

    Below those that Linux gives to whoever asks for any: what listens takes its port
    seconds later, and much is started at once.
    """
    others = random.sample(range(20_000, 32_000), 50)
    for port in (preferred, *others) if preferred else others:
        with socket.socket() as probe:
            # Odoo's own option: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Problem("No network port is free on 127.0.0.1.")


@contextmanager
def serving(
    odoo: Environment, database: str, port: int = 8069, options: Sequence[str] = ()
) -> Iterator[Server]:
    """Have Odoo serve a database; it is gone when we leave, with all its children."""
    log = odoo.folder / "log" / "server.log"
    with launched(
        (*odoo.command, *options), database, log, environ(odoo), port
    ) as server:
        yield server


@contextmanager
def launched(
    command: Sequence[str | Path],
    database: str,
    log: Path,
    env: Mapping[str, str],
    port: int = 0,
) -> Iterator[Server]:
    """Have a command that starts Odoo serve a database, with two workers and crons."""
    http_port = choose_port(port)
    if port and http_port != port:
        say(f"    port {port} is in use, taking {http_port}")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            (
                *(*command, "-d", database),
                *(f"--db-filter=^{database}$", "--no-database-list"),
                *("--workers=2", "--max-cron-threads=1"),
                f"--http-port={http_port}",
                f"--gevent-port={choose_port(http_port + 3)}",
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            # Ctrl-C reaches us alone, and we end it once, in order.
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{http_port}", log, process)
    try:
        until(
            OdooClient(server.url).is_up,
            f"Odoo does not answer at {server.url}: see {log}.",
            seconds=120,
            meanwhile=server.check,
        )
        yield server
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    say("==> Stopping Odoo")
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        say("    Odoo does not stop by itself: killing it")
    # Also what it left: its group is its own, so nobody else is hit.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
