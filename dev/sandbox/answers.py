"""What the sandbox says, in Meta's words."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# docs: graph-api/changelog/versions. v20.0 ended 2026-09-24, v26.0 is the newest.
OLDEST_VERSION, NEWEST_VERSION = 21, 26

# The words are localised and change: clients must not depend on them (docs).
_WORDS = json.loads(Path(__file__).with_name("words.json").read_text())
MESSAGES: Mapping[int, str] = {
    int(code): text.replace("{newest}", str(NEWEST_VERSION))
    for code, text in _WORDS["messages"].items()
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, before it is written to the wire."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(
        cls, status: int, content: Any, headers: Mapping[str, str] | None = None
    ) -> Answer:
        body = json.dumps(content, separators=(",", ":")).encode()
        return cls(status, body, headers=headers or {})

    def content(self) -> Any:
        """Return the parsed body, its text where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body.decode("utf-8", "replace")


def new_trace_id() -> str:
    """Return an id in the form of Meta's fbtrace_id, never the same twice."""
    return "A" + "".join(secrets.choice(TRACE_ALPHABET) for _ in range(22))


TRACE_ALPHABET = string.ascii_letters + string.digits + "_-"


@dataclass(eq=False)
class GraphError(Exception):
    """A refusal in Meta's words.

    ``reason`` says exactly what is wrong and where; it is shown on the sandbox's page
    and in its records but never in the answer, because Meta does not tell either.
    """

    code: int
    subcode: int | None = None
    message: str = ""
    reason: str = ""
    http_status: int = 0
    error_type: str = "OAuthException"  # seen: nearly every error has this type
    is_transient: bool = False
    error_data: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.message = self.message or MESSAGES.get(self.code, "Invalid parameter")
        self.http_status = self.http_status or DEFAULT_STATUS.get(self.code, 400)

    def __str__(self) -> str:
        return f"{self.code}/{self.subcode}: {self.reason or self.message}"

    def answer(self) -> Answer:
        """Return this error as Graph writes it (docs: guides/error-handling)."""
        content: dict[str, Any] = {
            "message": self.message,
            "type": self.error_type,
            "code": self.code,
        }
        if self.error_data is not None:
            content["error_data"] = self.error_data
        content["is_transient"] = self.is_transient
        if self.subcode is not None:
            content["error_subcode"] = self.subcode
            if words := _WORDS["user_texts"].get(str(self.subcode)):
                content["error_user_title"] = words["title"]
                content["error_user_msg"] = words["text"]
        content["fbtrace_id"] = new_trace_id()
        return Answer.json(self.http_status, {"error": content}, self.headers)


# seen: 401 for code 190, 400 for code 100; 500 for the service's own trouble (reported)
DEFAULT_STATUS: Mapping[int, int] = {190: 401, 1: 500, 2: 500}


def refused(subcode: int, reason: str) -> GraphError:
    """Return the refusal of a payload that Meta has a subcode for."""
    return GraphError(100, subcode, reason=reason)


def malformed(reason: str, message: str = "(#100) Invalid parameter") -> GraphError:
    """Return the refusal of a payload without a subcode: wrong types, missing keys."""
    return GraphError(100, message=message, reason=reason)
