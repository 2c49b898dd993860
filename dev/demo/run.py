"""`make demo`: a visitor buys in a real shop, and Meta hears of it, before your eyes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..console import say, step
from ..layout import ADDON, exclusive
from ..odoo import databases, environment, postgres
from ..odoo.client import page_path
from ..odoo.environment import Environment
from ..odoo.server import Server, serving
from . import visits
from .receiver import receiving
from .shop import Shop
from .story import Story

_FORGET_TOKEN = "DELETE FROM ir_config_parameter WHERE key = 'meta_capi.access_token'"


def demo(series: str, once: bool) -> int:
    """Show the addon at work; with ``once`` end as soon as it has been proved."""
    busy = "A demo of this checkout is running already: stop it."
    with exclusive("demo", otherwise=busy):
        odoo = environment.get(series)
        browser = visits.chromium()
        with postgres.running() as cluster, receiving() as receiver:
            odoo.write_config(cluster.socket)
            database = databases.shop(odoo, cluster)
            say(f"==> Starting Odoo {series} with two workers and the queue's runner")
            # The visitor comes by a proxy, as on the Internet.
            with serving(odoo, database, options=("--proxy-mode",)) as server:
                shop = Shop(server, database, receiver)
                with step(f"Connecting the shop to {receiver.name}"):
                    shop.prepare()
                story = Story(shop, browser)
                purchase = story.tell()
                for trouble in story.missing:
                    say(f"NOT AS IT SHOULD BE: {trouble}.")
                if once:
                    say("\nWithout ONCE=1 all of this now stays open:")
                _say_what_to_click(odoo, shop, purchase)
                if not once:
                    _stay_up(server)
            # A real token is not left behind, not even in an ignored folder.
            cluster.sql(_FORGET_TOKEN, database)
    return 1 if story.missing else 0


def _say_what_to_click(odoo: Environment, shop: Shop, purchase: str) -> None:
    url, client, receiver = shop.server.url, shop.client, shop.receiver
    order, name = shop.order_of(purchase)

    def action(xmlid: str) -> str:
        return url + page_path(odoo.series, client.reference(xmlid))

    form = url + page_path(odoo.series, model="sale.order", record=order)
    say(
        f"\nLook at it as the owner (login admin, password admin):"
        f"\n   overview         {action(f'{ADDON}.meta_capi_dashboard_action')}"
        f"\n   log of events    {action(f'{ADDON}.meta_capi_event_action')}"
        f"\n   order {name}     {form}"
        f"\n   settings         {action('website.action_website_configuration')}"
        "   (Meta Conversions API)"
        f"\nBuy something yourself:"
        f"\n   shop             {url}/shop?fbclid=my-click"
        f"\n   Use a private window: what employees do is not sent. Pay with Demo, a"
        f"\n   provider that only simulates. Your events lack the IP address, because"
        f"\n   yours is a local one."
        f"\nSee what arrived:"
        f"\n   Meta's stand-in  {receiver.sandbox.url}"
        f"\n   log of Odoo      {os.path.relpath(shop.server.log, Path.cwd())}"
    )
    if receiver.is_meta:
        say("   Meta             Events Manager > your dataset > Test Events")


def _stay_up(server: Server) -> None:
    say("\nAll of this stays open until Ctrl-C.")
    try:
        while True:
            server.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        say("")
