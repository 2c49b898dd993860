"""What can go wrong on demand, and the dice."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .answers import Answer, GraphError, new_trace_id


@dataclass(frozen=True)
class Fault:
    """One way for an exchange to go wrong. Made by the functions below."""

    name: str
    reply: Answer | GraphError | None = None
    """What is said instead of the answer Meta would give."""
    accept: bool = False
    """Whether valid events are taken in, whatever is then said about it."""
    ending: str = "answer"
    """``answer``, ``hang``, ``reset`` or ``cut`` (the body ends before its length)."""
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Keys left out of the success body."""
    n_less: int = 0
    """How many of the events are neither taken in nor counted."""
    truncate: bool = False


def error(
    code: int,
    subcode: int | None = None,
    http_status: int = 0,
    in_http_200: bool = False,
    error_data_as_string: bool = False,
    headers: Mapping[str, str] | None = None,
    *,
    message: str = "",
    is_transient: bool = False,
) -> Fault:
    """Meta refuses with this code.

    ``error_data_as_string`` adds JSON inside JSON, as Meta sometimes does (seen).
    """
    error_data = json.dumps({"blame_field_specs": [["data"]]})
    reply = GraphError(
        code,
        subcode,
        message=message,
        http_status=200 if in_http_200 else http_status,
        is_transient=is_transient,
        error_data=error_data if error_data_as_string else None,
        headers=headers or {},
    )
    return Fault("error", reply)


def error_without_code(
    http_status: int = 400, error_type: str = "OAuthException"
) -> Fault:
    """Meta refuses and does not say more than who is to blame (seen)."""
    content = {
        "message": "An error occurred",
        "type": error_type,
        "fbtrace_id": new_trace_id(),
    }
    reply = Answer.json(http_status, {"error": content})
    return Fault("error_without_code", reply)


def http(
    status: int,
    body: str = "<!DOCTYPE html><html><body>Sorry, something went wrong.</body></html>",
    content_type: str = "text/html; charset=utf-8",
    headers: Mapping[str, str] | None = None,
    accept: bool = False,
) -> Fault:
    """What stands before Meta answers: an HTML 502, a 413, a 429 with Retry-After."""
    reply = Answer(status, body.encode(), content_type, headers or {})
    return Fault("http", reply, accept=accept)


def redirect(location: str, status: int = 302) -> Fault:
    """The answer sends the client elsewhere, with its token if it is careless."""
    return Fault("redirect", Answer(status, headers={"Location": location}))


def throttled(code: int = 80004, minutes: int = 5, subcode: int | None = None) -> Fault:
    """A rate limit, with the usage header in its nested form (minutes to wait)."""
    usage = {
        "call_count": 100,
        "total_cputime": 25,
        "total_time": 30,
        "estimated_time_to_regain_access": minutes,
        "type": "ads_management",
        "ads_api_access_tier": "standard_access",
    }
    headers = {"X-Business-Use-Case-Usage": json.dumps({"2048576102938475": [usage]})}
    reply = GraphError(code, subcode, headers=headers)
    return Fault("throttled", reply)


def truncated_json(accept: bool = False, cut: bool = False) -> Fault:
    """Half a JSON body; with ``cut``, also fewer bytes than Content-Length promised."""
    ending = "cut" if cut else "answer"
    return Fault("truncated_json", truncate=True, accept=accept, ending=ending)


def empty_body(accept: bool = False) -> Fault:
    """HTTP 200 and nothing else."""
    return Fault("empty_body", Answer(200), accept=accept)


def short_events_received(n_less: int = 1) -> Fault:
    """All but the last ``n_less`` events are taken in, and only they are counted."""
    return Fault("short_events_received", accept=True, n_less=int(n_less))


def missing_events_received(accept: bool = False) -> Fault:
    """A success that does not say how many."""
    return Fault("missing_events_received", accept=accept, missing=("events_received",))


def missing_messages() -> Fault:
    """A full success without the list that a reader may take for granted."""
    return Fault("missing_messages", accept=True, missing=("messages",))


def slow(seconds: float) -> Fault:
    """Meta's own answer, late. The events are taken in even if the client has gone."""
    return Fault("slow", accept=True, delay=float(seconds))


def hang() -> Fault:
    """No answer, until the client goes or the server stops."""
    return Fault("hang", ending="hang")


def reset() -> Fault:
    """The connection is reset before Meta did anything."""
    return Fault("reset", ending="reset")


def reset_after_accept() -> Fault:
    """The events are taken in, then the connection is reset: the outcome is unknown."""
    return Fault("reset_after_accept", accept=True, ending="reset")


def with_headers(headers: Mapping[str, str]) -> Fault:
    """No failure: Meta's own answer with more headers, such as ``X-App-Usage``."""
    return Fault("with_headers", accept=True, headers=headers)


FACTORIES: Mapping[str, Callable[..., Fault]] = {
    factory.__name__: factory
    for factory in (
        *(error, error_without_code, http, redirect, throttled, with_headers),
        *(truncated_json, empty_body, short_events_received, missing_messages),
        *(missing_events_received, slow, hang, reset, reset_after_accept),
    )
}

NO_FAULT = Fault("none", accept=True)


@dataclass
class Rule:
    """When a fault happens; ``times`` is None for a rule that stays."""

    fault: Fault
    pixel_id: str | None = None
    times: int | None = None
    probability: float = 1.0


class Faults:
    """What is scripted to go wrong, and the dice."""

    def __init__(self, lock: threading.RLock, seed: int | None = None) -> None:
        self._lock = lock
        self._dice = random.Random(seed)
        self._rules: list[Rule] = []
        self._poison: dict[str, Fault] = {}

    def seed(self, seed: int) -> None:
        """Make what happens by chance repeatable."""
        with self._lock:
            self._dice.seed(seed)

    def fail_next(
        self, fault: Fault, times: int = 1, pixel_id: str | None = None
    ) -> None:
        """Let the next requests fail, after those already scripted to."""
        self._add(Rule(fault, pixel_id, times=int(times)))

    def fail_always(
        self, fault: Fault, pixel_id: str | None = None, probability: float = 1.0
    ) -> None:
        """Let every request fail, or each with this probability, until healed.

        Rules are asked in the order given, those of ``fail_next`` first; the first
        one that applies decides.
        """
        self._add(Rule(fault, pixel_id, probability=float(probability)))

    def heal(self, pixel_id: str | None = None) -> None:
        """Drop the rules of this pixel, or all of them; what is poisoned stays so."""
        with self._lock:
            self._rules = [
                rule
                for rule in self._rules
                if pixel_id is not None and rule.pixel_id != pixel_id
            ]

    def poison(
        self,
        event_ids: Iterable[str],
        code: int = 100,
        subcode: int | None = 2804007,
        *,
        fault: Fault | None = None,
    ) -> None:
        """Refuse any batch that holds one of these event ids, or let it meet a fault.

        Where fewer are counted than were sent, it is these that are not taken in.
        """
        with self._lock:
            self._poison |= dict.fromkeys(event_ids, fault or error(code, subcode))

    def cure(self) -> None:
        """Forget what was poisoned."""
        with self._lock:
            self._poison.clear()

    def draw(self, pixel_id: str | None) -> Fault:
        """Return the fault of the request that has just come in."""
        with self._lock:
            # A stable sort: what is queued comes before what stays, each in its order.
            for rule in sorted(self._rules, key=lambda rule: rule.times is None):
                if rule.pixel_id not in (None, pixel_id):
                    continue
                if rule.probability < 1.0 and self._dice.random() >= rule.probability:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        self._rules.remove(rule)
                return rule.fault
        return NO_FAULT

    def poison_of(self, event: Mapping[str, Any]) -> Fault | None:
        with self._lock:
            return self._poison.get(event.get("event_id", ""))

    def order(self, order: Mapping[str, Any]) -> None:
        """Carry out an order in JSON.

        ``{"fault": "error", "code": 190, "times": 3, "pixel_id": "…"}``: the next ones;
        with ``"always": true`` or a ``"probability"``, until healed. Further keys are
        the arguments of the fault. ``{"poison": [ids], "code": 100, "subcode": …}`` or
        ``{"poison": [ids], "fault": "http", "status": 500}``,
        ``{"heal": true, "pixel_id": "…"}``, ``{"cure": true}`` and ``{"seed": 7}``,
        which may also stand beside a fault.
        """
        arguments = dict(order)
        pixel_id = arguments.pop("pixel_id", None)
        if "seed" in arguments:
            self.seed(arguments.pop("seed"))
        if arguments.pop("heal", False):
            self.heal(pixel_id)
        if arguments.pop("cure", False):
            self.cure()
        if "poison" in arguments:
            event_ids = arguments.pop("poison")
            if "fault" in arguments:
                self.poison(event_ids, fault=_make_fault(arguments))
            else:
                self.poison(event_ids, **arguments)
        elif "fault" in arguments:
            self._order_fault(arguments, pixel_id)
        elif arguments:
            raise ValueError(f"not understood: {', '.join(arguments)}")

    def summary(self) -> dict[str, Any]:
        """Return what is scripted, for people and for JSON."""
        with self._lock:
            rules = [{**vars(r), "fault": r.fault.name} for r in self._rules]
            return {"rules": rules, "poisoned": len(self._poison)}

    def _order_fault(self, arguments: dict[str, Any], pixel_id: str | None) -> None:
        always = arguments.pop("always", "probability" in arguments)
        probability = arguments.pop("probability", 1.0)
        times = arguments.pop("times", 1)
        fault = _make_fault(arguments)
        if always:
            self.fail_always(fault, pixel_id, probability)
        else:
            self.fail_next(fault, times, pixel_id)

    def _add(self, rule: Rule) -> None:
        if rule.times is None or rule.times > 0:
            with self._lock:
                self._rules.append(rule)


def _make_fault(order: Mapping[str, Any]) -> Fault:
    """Return the fault that an order names, made of the order's other keys."""
    arguments = dict(order)
    name = arguments.pop("fault")
    if name not in FACTORIES:
        raise ValueError(f"no such fault: {name}")
    return FACTORIES[name](**arguments)
