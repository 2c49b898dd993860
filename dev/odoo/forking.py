"""Processes of Odoo that are there at once: forked from one that has loaded everything."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..layout import ADDON

_SCRIPT = """
import importlib
from odoo.addons.{addon}.dev.odoo import forking
module = importlib.import_module("odoo.addons.{addon}.{module}")
forking.serve(env, {number}, module)
"""


class Forkable:
    """``odoo shell`` on a database, whose start is what takes time.

    :param command: starts Odoo with its settings
    :param module: of the addon; its function ``answer(registry, connection)`` is what
        each process runs, and ``prepare(env)``, if there is one, comes before the first
    """

    def __init__(
        self, command: Sequence[str | Path], database: str, folder: Path, module: str
    ) -> None:
        self.log = folder / "shell.log"
        self._control, theirs = socket.socketpair()
        script = folder / "shell.py"
        script.write_text(
            _SCRIPT.format(addon=ADDON, module=module, number=theirs.fileno())
        )
        # A command comes before its options.
        first, *others = command
        with theirs, script.open() as source, self.log.open("w") as log:
            self._shell = subprocess.Popen(
                (first, "shell", *others, "-d", database, "--no-http"),
                stdin=source,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(self) -> Connection:
        """Have one more process; return the connection to it."""
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"+"], [theirs.fileno()])
        return Connection(mine.detach())

    def stop(self) -> None:
        self._control.close()
        end_group(self._shell)


def end_group(process: subprocess.Popen[Any]) -> None:
    """End a process that heads a group of its own, with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended, and left nobody
    process.wait()


def serve(env: Any, number: int, module: Any) -> None:
    """Be the parent, inside Odoo: one process is forked for each message.

    :param number: of the socket that each process gets its own connection through
    """
    from odoo import sql_db  # type: ignore[import-not-found]

    prepare: Callable[[Any], None] | None = getattr(module, "prepare", None)
    registry = env.registry
    if prepare:
        prepare(env)
        env.cr.commit()
        registry.signal_changes()
    env.cr.close()
    sql_db.close_all()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Nobody asks how a process ended: its connection tells.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=number)
    while True:
        _message, numbers, *_flags = socket.recv_fds(control, 1, 1)
        if not numbers:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            module.answer(registry, Connection(numbers[0]))
            os._exit(0)
        os.close(numbers[0])
