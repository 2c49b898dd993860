"""What the sandbox says, in Meta's words."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# docs: graph-api/changelog/versions. v20.0 ended 2026-09-24, v26.0 is the newest.
OLDEST_VERSION, NEWEST_VERSION = 21, 26

# The words are localised and change: clients must not depend on them (docs).
USER_TEXTS: Mapping[int, tuple[str, str]] = {
    2804001: (
        "Invalid Parameter Format",
        "A parameter of this event is not in the expected format.",
    ),
    2804003: (
        "Event Timestamp Too Old",
        (
            "The timestamp for this event is too far in the past. Events need to be"
            " sent within 7 days of when they occurred."
        ),
    ),
    2804004: (
        "Event Timestamp In The Future",
        (
            "The timestamp for this event is in the future. Enter the time at which the"
            " event occurred."
        ),
    ),
    2804008: (
        "Missing ID in Contents",
        "Every item of the contents parameter must have an id.",
    ),
    2804009: (
        "Missing Value for Purchase Event",
        "Your Purchase event is missing its value. Enter a value for this event.",
    ),
    2804010: (
        "Missing Currency for Purchase Event",
        "Your Purchase event is missing its currency. Enter a currency for this event.",
    ),
    2804023: (
        "Missing Currency",
        "This event has a value but no currency. Enter the currency of the value.",
    ),
    2804030: (
        "Limited Data Use Selection Required",
        "Limited Data Use needs a country and a state, or 0 for both.",
    ),
    2804036: (
        "Invalid Lead ID",
        (
            "The lead ID is invalid or was deleted. Other events of this request may"
            " have been rejected with it."
        ),
    ),
    2804043: (
        "Invalid Extinfo",
        "The extinfo of this app event is invalid or has no OS version.",
    ),
    2804050: (
        "Insufficient Customer Information",
        (
            "The customer information parameters of this event are missing or too"
            " broad to be matched. Add more of them."
        ),
    ),
    2804063: (
        "Missing Messaging Channel",
        "A business messaging event must have a valid messaging_channel.",
    ),
    2804066: (
        "Invalid Event Name",
        "This event name is not supported for business messaging.",
    ),
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


class GraphError(Exception):
    """A refusal in Meta's words.

    ``reason`` says exactly what is wrong and where; it is shown on the sandbox's page
    and in its records but never in the answer, because Meta does not tell either.
    """

    def __init__(
        self,
        code: int,
        subcode: int | None = None,
        *,
        message: str | None = None,
        reason: str = "",
        http_status: int | None = None,
        error_type: str = "OAuthException",  # seen: nearly every error has this type
        is_transient: bool = False,
        error_data: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.subcode = subcode
        self.message = message or DEFAULT_MESSAGES.get(code, "Invalid parameter")
        self.reason = reason
        self.http_status = http_status or DEFAULT_STATUS.get(code, 400)
        self.error_type = error_type
        self.is_transient = is_transient
        self.error_data = error_data
        self.headers = headers or {}
        super().__init__(f"{code}/{subcode}: {reason or self.message}")

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
            if self.subcode in USER_TEXTS:
                title, text = USER_TEXTS[self.subcode]
                content |= {"error_user_title": title, "error_user_msg": text}
        content["fbtrace_id"] = new_trace_id()
        return Answer.json(self.http_status, {"error": content}, self.headers)


# seen: 401 for code 190, 400 for code 100; 500 for the service's own trouble (reported)
DEFAULT_STATUS: Mapping[int, int] = {190: 401, 1: 500, 2: 500}
DEFAULT_MESSAGES: Mapping[int, str] = {
    1: "An unknown error occurred",
    2: "Service temporarily unavailable",
    3: "(#3) Application does not have the capability to make this API call.",
    4: "(#4) Application request limit reached",
    10: "(#10) Application does not have permission for this action",
    17: "(#17) User request limit reached",
    32: "(#32) Page request limit reached",
    102: "Session key invalid or no longer valid",
    104: "Incorrect signature",
    105: "The number of parameters exceeded the maximum for this operation",
    190: "Invalid OAuth access token - Cannot parse access token",
    200: "(#200) Permissions error",
    341: "(#341) Application limit reached",
    368: "The action attempted has been deemed abusive or is otherwise disallowed",
    613: "(#613) Calls to this api have exceeded the rate limit.",
    803: "(#803) Some of the aliases you requested do not exist",
    2500: "Unknown path components",
    2635: "(#2635) You are calling a deprecated version of the Ads API. Please update"
    f" to the latest version: v{NEWEST_VERSION}.0.",
    80004: "(#80004) There have been too many calls to this ad-account. Wait a bit and"
    " try again.",
}


def refused(subcode: int, reason: str) -> GraphError:
    """Return the refusal of a payload that Meta has a subcode for."""
    return GraphError(100, subcode, reason=reason)


def malformed(reason: str, message: str = "(#100) Invalid parameter") -> GraphError:
    """Return the refusal of a payload without a subcode: wrong types, missing keys."""
    return GraphError(100, message=message, reason=reason)
