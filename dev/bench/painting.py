"""The row that asks a real browser: what our script costs the visitor of a product's page."""

from __future__ import annotations

import statistics
from dataclasses import replace
from itertools import pairwise
from typing import Any

from .. import tools
from ..console import Problem, say
from ..odoo import debian
from ..odoo.server import Server
from .figures import Figure, Size, figure_of, numbers
from .rig import Rig

_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36"
)


def paint(rig: Rig, size: Size) -> list[Figure]:
    """Open a product's page again and again, with our script and without, by turns."""
    chromium = debian.browser()
    try:
        python = tools.python_with("playwright", "playwright")
    except Problem as problem:
        say(f"    {problem} Row 16 is left out.")
        return []
    if not chromium:
        say("    Chromium or Chrome is not installed. Row 16 is left out.")
        return []
    found: dict[str, Pages] = {}
    with rig.worker() as worker:
        path = worker.call("publish_product", number=numbers(1))
        for mode in ("server", "page"):
            worker.call("configure", parameters={"meta_capi.pixel_mode": mode})
            with rig.serving() as server:
                order = _order(server, path, chromium, rounds=2 * size.rounds)
                found[mode] = rig.run(python, "dev.bench.painter", **order)
                # Those without our script tell of nothing.
                _check_beacons(rig, len(found[mode]) + 1 if mode == "server" else 0)
    return _figures(size, found)


def _order(server: Server, path: str, chromium: str, rounds: int) -> dict[str, Any]:
    return {
        "url": server.url + path,
        "chromium": chromium,
        "agent": _AGENT,
        "headers": {
            "X-Forwarded-Host": server.url.partition("//")[2],
            "X-Forwarded-Proto": "http",
        },
        "rounds": rounds,
    }


def _check_beacons(rig: Rig, count: int) -> None:
    """Make sure that the pages with our script have told of themselves, and no others."""
    for name in ("PageView", "ViewContent"):
        (recorded,) = rig.sql(
            f"SELECT count(*) FROM meta_capi_event WHERE event_name = '{name}'"
        )
        if int(recorded) != count:
            raise Problem(f"Of {count} pages, {recorded} have told of a {name}.")


Pages = list[tuple[dict[str, float], dict[str, float]]]
# Of each row, on which pages, and what of them is compared.
_ROWS = {
    "16a": ("server", "first_paint"),
    "16b": ("server", "computing"),
    "16c": ("server", "layouts"),
    "16d": ("server", "blocking"),
    "16e": ("page", "first_paint"),
    "16f": ("page", "computing"),
    "16g": ("page", "blocking"),
}


def _figures(size: Size, found: dict[str, Pages]) -> list[Figure]:
    """Return the figures of all pages.

    :param found: by the mode of the Pixel, pairs of pages: with our script and without
    """
    figures = []
    for row, (mode, name) in _ROWS.items():
        figure = figure_of(row, size)
        figure.pairs = [(mine[name], other[name]) for mine, other in found[mode]]
        if name == "first_paint":
            figure.notes["remark"] = _noise(figure)
        elif name == "computing":
            figure.notes["remark"] = _shares([mine for mine, _other in found[mode]])
        elif row == "16g":
            figure.notes["remark"] = (
                "the script itself; the page's own Pixel may be called by the next tag, and"
                " each of its calls has to come by the script"
            )
        figures.append(figure)
    return figures


def _noise(figure: Figure) -> str:
    """Tell how much the page without our script differs from itself."""
    others = [other for _mine, other in figure.pairs]
    low, high = replace(figure, pairs=[*pairwise(others)]).spread
    return (
        f"the page without it, against itself a round later, has {low:.2f}–{high:.2f}×"
    )


def _shares(pages: list[dict[str, float]]) -> str:
    early, busy = (
        statistics.median(page[name] for page in pages) for name in ("early", "busy")
    )
    return (
        f"what the thread computed, {early:.2f} ms of it before the first paint; with"
        f" what it waited meanwhile, for a core among others, it is {busy:.2f} ms"
    )
