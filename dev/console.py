"""Talking to the person at the terminal, and running other programs for them."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Problem(Exception):
    """Something the person can put right; the message says how, in one sentence."""


def say(message: str) -> None:
    """Print one line at once, also when the output is a pipe."""
    print(message, flush=True)


def quote(lines: Iterable[str]) -> None:
    """Print lines of another program's, marked as such."""
    say("\n".join(f"    | {line[:400]}" for line in lines))


def until(
    condition: Callable[[], Any],
    otherwise: str,
    seconds: float,
    *,
    poll: float = 0.1,
    meanwhile: Callable[[], object] = lambda: None,
) -> Any:
    """Wait until a condition holds, and return its value.

    :param otherwise: what is said of it in a ``Problem`` after so many seconds
    :param meanwhile: what is done between two looks
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        meanwhile()
        if time.monotonic() > deadline:
            raise Problem(otherwise)
        time.sleep(poll)
    return value


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step that takes a while, and how long it took."""
    say(f"==> {title}")
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    if seconds >= 2:
        say(f"    done in {seconds:.0f} s")


def run(
    command: Sequence[str | Path],
    *,
    otherwise: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    quiet: bool = False,
) -> str:
    """Run a program; when it fails raise ``Problem(otherwise)``.

    Its output is returned. With ``quiet`` it is shown only if it fails; else it goes
    to the terminal as it comes, so that a long download shows how far it is.
    """
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(
            words,
            env=dict(os.environ if env is None else env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError:
        raise Problem(f"The program {words[0]!r} is missing: install it.") from None
    with process:
        output = _read(process, quiet)
    if process.returncode == 0:
        return output
    if quiet and output:
        quote(output.splitlines()[-25:])
    if os.strerror(errno.ENOSPC) in output:
        raise Problem("The disk is full: free some space and run it again.")
    raise Problem(f"{otherwise} ({Path(words[0]).name} exit code {process.returncode})")


def _read(process: subprocess.Popen[bytes], quiet: bool) -> str:
    """Return what a program prints; show it in the same moment unless ``quiet``."""
    assert process.stdout
    output = bytearray()
    try:
        # Not line by line: git draws its progress on a single one.
        while piece := os.read(process.stdout.fileno(), 8192):
            output += piece
            if not quiet:
                sys.stderr.buffer.write(piece)
                sys.stderr.flush()
    except BaseException:
        process.terminate()
        raise
    return output.decode(errors="replace")


def succeeds(command: Sequence[str | Path]) -> bool:
    """Tell whether a program is there and exits 0, silently."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def need_disk(folder: Path, gigabytes: float, what: str) -> None:
    """Refuse to begin something large that the disk has no room for."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1024**3
    if free < gigabytes:
        raise Problem(
            f"{what} needs {gigabytes:g} GB, but only {free:.1f} GB is free in"
            f" {folder}: free some space, or point XDG_CACHE_HOME elsewhere."
        )
