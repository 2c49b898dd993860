"""What passed and what failed, for the last line of a run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..console import say


@dataclass
class Tally:
    """What is said on the last line."""

    passed: int = 0
    failed: int = 0

    def check(self, good: bool, what: str) -> None:
        self.passed += good
        self.failed += not good
        say(f"{'ok    ' if good else 'FAILED'} {what}")

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed

    @classmethod
    def read(cls, line: str) -> Tally:
        """Return what the last line of another run says; without one, it failed."""
        match = re.fullmatch(r"(\d+) passed, (\d+) failed", line)
        return cls(*map(int, match.groups())) if match else cls(failed=1)

    def close(self) -> int:
        """Print the last line, which others count by; return the exit code."""
        say(str(self))
        return 1 if self.failed else 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"
