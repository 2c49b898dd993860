"""Histories made of a seed, and made shorter where one breaks a promise."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from . import meta
from .world import DAY, HOUR, PIXELS, Action, World

KILL_POINTS = ("claim", "announce", "answer", "settle", "commit")
_LENGTHS = (1, 8, 20, 50, 90, 600, 2 * HOUR, 9 * HOUR, 30 * HOUR, 3 * DAY)
# Undocumented answers to all are given up after a day, as they should be.
_SHORT_LENGTHS = _LENGTHS[:7]


def make_history(seed: int) -> list[Action]:
    """Return what happens in the world of this seed, in the order of time."""
    dice = random.Random(seed)
    actions = []
    number = 0

    def when() -> int:
        return round(dice.choice((0, 3, 10, 60, 600, HOUR, DAY)) * dice.random() * 3)

    def record(at: int, pixel_id: str) -> None:
        nonlocal number
        number += 1
        poison = dice.choice(meta.POISONS) if dice.random() < 0.08 else None
        age = dice.choice((0, 0, 0, 0, HOUR, 2 * DAY, 6 * DAY + 20 * HOUR))
        source = "physical_store" if dice.random() < 0.05 else "website"
        code = "TEST" if dice.random() < 0.1 else None
        size = 400_000 if dice.random() < 0.03 else 400
        twin_age = age if dice.random() < 0.05 else None
        arguments = (f"e{number}", pixel_id, code, poison, age, source, size, twin_age)
        actions.append(Action(at, "record", arguments))

    for _burst in range(dice.randint(1, 4)):
        at, pixel_id = when(), dice.choice((PIXELS[0], *PIXELS))
        for _event in range(dice.choice((1, 2, 3, 5, 8, 13, 21))):
            record(at, pixel_id)
    for _visitor in range(dice.choice((0, 0, 2, 5))):
        record(when(), PIXELS[0])
    for _trouble in range(dice.choice((0, 1, 1, 2, 3))):
        _make_trouble(dice, actions, when())
    for _click in range(dice.choice((0, 0, 0, 1, 2))):
        name = dice.choice(("send_now", "retry", "cancel", "switch_off", "release"))
        arguments = {
            "send_now": (dice.choice(PIXELS), dice.choice((1, 5, 30))),
            "cancel": (dice.choice((1, 5)),),
            "switch_off": (dice.choice(_LENGTHS),),
            "release": (dice.choice(PIXELS),),
        }
        actions.append(Action(when(), name, arguments.get(name, ())))
    for _fault in range(dice.choice((0, 0, 0, 1, 2))):
        actions.append(Action(when(), "kill", (dice.choice(KILL_POINTS),)))
    if dice.random() < 0.3:
        actions.append(Action(when(), "race"))
    if dice.random() < 0.05:
        skew = dice.choice((2, 25, 55))
        actions.append(Action(0, "clock_ahead", (skew, dice.random() < 0.7)))
    return sorted(actions, key=lambda action: action.at)


def _make_trouble(dice: random.Random, actions: list[Action], at: int) -> None:
    pixel_id = dice.choice((PIXELS[0], *PIXELS))
    group = dice.choice(
        (meta.TRANSIENT, meta.UNKNOWN, meta.THROTTLED, meta.STOPPING, meta.AMBIGUOUS)
    )
    kind = dice.choice(group)
    if dice.random() < 0.4:
        actions.append(Action(at, "answer", (pixel_id, kind)))
        return
    seconds = dice.choice(_SHORT_LENGTHS if group is meta.UNKNOWN else _LENGTHS)
    if group is meta.AMBIGUOUS:
        # Permissions do not come and go within the seconds of one search.
        seconds = max(seconds, 300)
    actions.append(Action(at, "trouble", (pixel_id, kind, seconds)))
    if group in (meta.STOPPING, meta.AMBIGUOUS) and dice.random() < 0.5:
        actions.append(Action(at + seconds, "release", (pixel_id,)))


def play(actions: Sequence[Action], seed: int = 0) -> World:
    """Return the world after a history."""
    world = World(seed)
    world.run(actions)
    return world


def shrink(
    actions: Sequence[Action], is_broken: Callable[[Sequence[Action]], bool]
) -> list[Action]:
    """Return a history as short as can be in which the promise is still broken."""
    kept = list(actions)
    size = max(len(kept) // 2, 1)
    while size:
        position, removed = 0, False
        while position < len(kept):
            shorter = kept[:position] + kept[position + size :]
            if shorter and is_broken(shorter):
                kept, removed = shorter, True
            else:
                position += size
        if not removed or size > 1:
            size = size // 2 if size > 1 else 0
    return kept


def search(first_seed: int, count: int) -> tuple[int, list[Action], list[str]] | None:
    """Return the first history that breaks a promise, made short, and which; or None."""
    for seed in range(first_seed, first_seed + count):
        actions = make_history(seed)
        if _violations(actions, seed):
            actions = shrink(actions, lambda shorter: bool(_violations(shorter, seed)))
            return seed, actions, _violations(actions, seed)
    return None


def _violations(actions: Sequence[Action], seed: int) -> list[str]:
    try:
        return play(actions, seed).violations()
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
