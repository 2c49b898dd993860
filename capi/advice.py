"""What to do about the quality of events, the most worth first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .quality import REAL_TIME, Diagnostic, EventQuality

# More is not read.
MAX_ADVICE = 5
# Percent of additional conversions below which a key is not worth a word.
MIN_GAIN = 1.0
# Percent of events with an ID that are as good as all.
ALL_WITH_ID = 99.5


class Kind(str, Enum):
    """What an advice is about. In the order of what it is worth."""

    DIAGNOSTIC = "diagnostic"  # a fault that Meta found
    KEY = "key"  # a match key that Meta expects something of
    COVERAGE = "coverage"  # too few events come from the server
    EVENT_ID = "event_id"  # the copies of an event cannot be told to be one
    FRESHNESS = "freshness"  # events come late


class Place(str, Enum):
    """Where it can be cured."""

    EVENTS_MANAGER = "events_manager"  # Meta's page of the pixel
    DATA_SETTINGS = "data_settings"  # which data is sent
    EVENTS_WITHOUT_KEY = "events_without_key"  # our own events that lack the key
    PAGE_SETTINGS = "page_settings"  # which events the server sends of the pages
    PENDING_EVENTS = "pending_events"  # what waits, and why


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do. All figures are percent; None: not told."""

    kind: Kind
    place: Place
    # The events that it is about, the one that is worst off first, and what Meta thinks
    # of that one.
    event_names: tuple[str, ...]
    worst: EventQuality
    diagnostic: Diagnostic | None = None
    key: str = ""
    gain: float | None = None  # more conversions, if all events had the key
    own_share: float | None = None  # of the events that we sent, those with the key


def advise(
    events: Iterable[EventQuality],
    own_shares: Mapping[str, Mapping[str, float]],
    *,
    keys: Collection[str],
    withheld: Collection[str] = (),
) -> list[Advice]:
    """Return what to do about these events, at most ``MAX_ADVICE``.

    :param own_shares: percent of our own events with each key, by the events' names
    :param keys: those of ``user_data`` that a shop can send
    :param withheld: those of them that it has chosen not to send
    """
    events = list(events)
    found = [
        *_advise_on_diagnostics(events),
        *_advise_on_keys(events, own_shares, keys, withheld),
        *_advise_on(Kind.COVERAGE, Place.PAGE_SETTINGS, events, missing_coverage),
        *_advise_on(Kind.EVENT_ID, Place.PAGE_SETTINGS, events, _without_id),
        *_advise_on(Kind.FRESHNESS, Place.PENDING_EVENTS, events, _lateness),
    ]
    return found[:MAX_ADVICE]


def missing_coverage(event: EventQuality) -> float:
    """Return by how many percent an event is under Meta's goal, 0 if it is not.

    >>> missing_coverage(EventQuality("Lead", coverage=60.0, coverage_goal=75.0))
    15.0
    >>> missing_coverage(EventQuality("Lead", coverage=60.0))
    0.0
    """
    if event.coverage is None or event.coverage_goal is None:
        return 0.0
    return max(event.coverage_goal - event.coverage, 0.0)


def _without_id(event: EventQuality) -> float:
    sides = [event.browser_with_id, event.server_with_id]
    least = min((side for side in sides if side is not None), default=100.0)
    return 100.0 - least if least < ALL_WITH_ID else 0.0


def _lateness(event: EventQuality) -> float:
    return float(event.freshness is not None and event.freshness != REAL_TIME)


def _advise_on(
    kind: Kind,
    place: Place,
    events: Sequence[EventQuality],
    severity: Callable[[EventQuality], float],
) -> list[Advice]:
    """Return one advice on all events that are not as they should be, if any."""
    worst = _worst_first([(severity(event), event) for event in events])
    if not worst:
        return []
    names = tuple(event.event_name for _severity, event in worst)
    return [Advice(kind, place, names, worst[0][1])]


def _worst_first(
    rated: Iterable[tuple[float, EventQuality]],
) -> list[tuple[float, EventQuality]]:
    """Return those that are rated above 0; of equals a Purchase comes first."""
    concerned = [pair for pair in rated if pair[0] > 0]
    return sorted(concerned, key=lambda pair: (-pair[0], not _is_sale(pair[1])))


def _is_sale(event: EventQuality) -> bool:
    return event.event_name == "Purchase"


def _advise_on_diagnostics(events: Sequence[EventQuality]) -> list[Advice]:
    """Return an advice on each fault that Meta found, those that concern most first."""
    by_name: dict[str, list[tuple[float, EventQuality, Diagnostic]]] = {}
    for event in events:
        for fault in event.diagnostics:
            rated = fault.percentage or 0.0, event, fault
            by_name.setdefault(fault.name, []).append(rated)
    ranked = []
    for rows in by_name.values():
        rows.sort(key=lambda row: (-row[0], not _is_sale(row[1])))
        share, event, fault = rows[0]
        advice = Advice(
            Kind.DIAGNOSTIC,
            Place.EVENTS_MANAGER,
            tuple(event.event_name for _share, event, _fault in rows),
            event,
            diagnostic=fault,
        )
        ranked.append((share, advice))
    ranked.sort(key=lambda pair: -pair[0])
    return [advice for _share, advice in ranked]


def _advise_on_keys(
    events: Sequence[EventQuality],
    own_shares: Mapping[str, Mapping[str, float]],
    keys: Collection[str],
    withheld: Collection[str],
) -> list[Advice]:
    """Return an advice on each key that Meta expects something of."""
    by_key: dict[str, list[tuple[float, EventQuality]]] = {}
    for event in events:
        for feedback in event.keys:
            gain = feedback.gain or 0.0
            is_everywhere = feedback.coverage is not None and feedback.coverage >= 100
            if feedback.key in keys and gain >= MIN_GAIN and not is_everywhere:
                by_key.setdefault(feedback.key, []).append((gain, event))
    found = []
    for key, rated in by_key.items():
        worst = _worst_first(rated)
        gain, event = worst[0]
        shares = own_shares.get(event.event_name)
        found.append(
            Advice(
                Kind.KEY,
                Place.DATA_SETTINGS if key in withheld else Place.EVENTS_WITHOUT_KEY,
                tuple(event.event_name for _gain, event in worst),
                event,
                key=key,
                gain=gain,
                own_share=None if shares is None else shares.get(key, 0.0),
            )
        )
    return sorted(found, key=lambda advice: -(advice.gain or 0.0))
