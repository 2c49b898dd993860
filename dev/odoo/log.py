"""Reading Odoo's log: what went wrong, and how many tests ran."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..console import quote, say

_RECORD = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ "
    r"(?P<level>[A-Z]+) (?P<database>\S+) (?P<logger>[\w.]+): (?P<message>.*)"
)
_BAD = {"WARNING", "ERROR", "CRITICAL"}
_RESULT = re.compile(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests when loading")
_STARTING = re.compile(r"Starting (\w+\.\w+) \.\.\.")
_LOADING = re.compile(r"Loading module (\w+) \((\d+/\d+)\)")
_SKIPPED = re.compile(r"skipped (.+?) : (.*)")

# Seconds between two signs of life, and how these begin.
_HEARTBEAT = 15
PROGRESS = ("    test ", "    module ")
# Lines that are shown at the end of a run, so that they are read there.
_SHOWN = 20

# What is no fault of the addon: how the record begins after its database, and why.
FOREIGN = (
    (
        r"odoo\.addons\.base\.models\.assetsbundle: .*mail/static/lib/selfie_segmentation/",
        "Debian's package of 19.0 leaves this file out, every build of the assets notices",
    ),
    (
        r"werkzeug: .* Request timed out: TimeoutError",
        "17.0 gives up a connection that Chromium has opened ahead, after 5 seconds",
    ),
    (
        r"odoo\.addons\.queue_job\.controllers\.main: was requested to run job \S+,"
        r" but it could not be locked",
        "queue_job asks again for a job that it takes for dead, and lets it be then",
    ),
    (
        r"py\.warnings: (?!.*/addons/ih_meta_conversions_api/)",
        "A library warns of what another one does: our files are not in its stack",
    ),
)


@dataclass
class Record:
    """One entry of the log, with the lines that follow it."""

    level: str
    logger: str
    text: str

    @property
    def is_bad(self) -> bool:
        if self.level not in _BAD:
            return False
        record = self.text[self.text.index(f"{self.logger}: ") :]
        return not any(re.match(pattern, record, re.S) for pattern, _why in FOREIGN)


class Log:
    """The log of one run of Odoo: kept in a file, judged line by line."""

    def __init__(self, path: Path, quiet: bool = False) -> None:
        self.path = path
        self.quiet = quiet
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.bad: list[Record] = []
        self.skipped: dict[str, str] = {}
        self.started: set[str] = set()
        self.failed = 0
        self.ran = 0
        self._last: Record | None = None
        self._spoke_at = time.monotonic()

    def run(
        self,
        command: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        script: str = "",
    ) -> int:
        """Run Odoo and take in what it logs; return its exit code.

        :param script: its standard input
        """
        with tempfile.TemporaryFile("w+") as source:
            source.write(script)
            source.seek(0)
            process = subprocess.Popen(
                command,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=env,
            )
        with process:
            try:
                self.follow(process.stdout or ())
            except BaseException:
                process.terminate()
                raise
        return process.returncode

    def follow(self, lines: Iterable[str]) -> None:
        """Take in all lines; say at once what is wrong, and which class is tested."""
        with self.path.open("a") as file:
            for line in lines:
                file.write(line)
                file.flush()
                self._take(line)
            self._finish()

    @property
    def passed(self) -> int:
        """Count the tests that ran and did not fail; a skipped one did not run."""
        return max(self.ran - self.failed - len(self.started & set(self.skipped)), 0)

    def show_end(self) -> None:
        """Show the last lines, for a run that died without saying why."""
        quote(self.path.read_text(errors="replace").splitlines()[-_SHOWN:])

    def show_bad(self) -> None:
        """Show what went wrong once more: the first and the last lines of each record."""
        lines = []
        for record in self.bad:
            first, *others = record.text.rstrip().splitlines()
            lines += [first, *others[-2:]]
        quote(lines[:_SHOWN])
        if lines[_SHOWN:]:
            say(f"    and {len(lines) - _SHOWN} lines more: see {self.path}")

    def _take(self, line: str) -> None:
        found = _RECORD.match(line)
        if not found:
            if self._last:
                self._last.text += line
            return
        self._finish()
        self._last = Record(found["level"], found["logger"], line)
        message = found["message"]
        if result := _RESULT.search(message):
            failed, errors, ran = map(int, result.groups())
            self.failed += failed + errors
            self.ran += ran
        elif skipped := _SKIPPED.match(message):
            self.skipped[skipped[1]] = skipped[2]
        elif starting := _STARTING.match(message):
            self.started.add(starting[1])
            self._tell(f"{PROGRESS[0]}{len(self.started)}, {starting[1]}")
        elif loading := _LOADING.match(message):
            self._tell(f"{PROGRESS[1]}{loading[2]}, {loading[1]}")

    def _tell(self, where: str) -> None:
        """Say where it is, if nothing was said for a while."""
        now = time.monotonic()
        if now - self._spoke_at >= _HEARTBEAT:
            self._spoke_at = now
            say(where)

    def _finish(self) -> None:
        """Judge the record that has now been read to its end."""
        if self._last and self._last.is_bad:
            self.bad.append(self._last)
            if not self.quiet:
                say(self._last.text.rstrip())
        self._last = None
