"""Takes the pictures of `make screenshots`; run by a Python that has Playwright."""

from __future__ import annotations

import shutil
import sys

from playwright.sync_api import FloatRect, Page, sync_playwright

from ..layout import ADDON
from ..odoo.client import OdooClient, page_path

# Width and height of the window, and whether the name of the picture tells.
WINDOWS = (("", 1400, 900), ("-phone", 390, 844))
ARABIC = "ar_001"
SETTINGS = ".o_setting_box:has(div[name=meta_capi_pixel_id])"
_UNFOLD = "document.querySelectorAll('details').forEach(part => part.open = true)"


class Camera:
    """A browser of somebody who is logged in as an administrator."""

    def __init__(
        self,
        page: Page,
        client: OdooClient,
        series: str,
        target: str,
        chosen: set[str],
    ) -> None:
        self.page = page
        self.client = client
        self.series = series
        self.target = target
        # Names of the pictures that are wanted; empty: all.
        self.chosen = chosen

    def log_in(self) -> None:
        self.page.goto(f"{self.client.url}/web/login")
        self.page.fill("input[name=login]", "admin")
        self.page.fill("input[name=password]", "admin")
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_selector(".o_main_navbar")

    def find(self, model: str, domain: list[object]) -> int:
        ids = self.client.call(model, "search", domain, limit=1)
        assert ids, f"nothing in {model} for {domain}"
        return int(ids[0])

    def open(self, action: str, record: int | None = None, view: str = "") -> None:
        """Open one of our actions: its first view, another, or a record's form."""
        name = f"{ADDON}.{action}" if "." not in action else action
        self._go(page_path(self.series, name, record=record, view=view))

    def open_record(self, model: str, record: int) -> None:
        self._go(page_path(self.series, model=model, record=record))

    def _go(self, path: str) -> None:
        if "#" in path:
            # A change of the part after the # alone loads nothing anew.
            self.page.goto("about:blank")
        self.page.goto(self.client.url + path)
        self.page.wait_for_selector(".o_action_manager .o_content, .o_view_controller")
        # Never idle: the bus keeps asking.
        self.page.wait_for_timeout(2500)

    def open_settings(self) -> None:
        self.open("website.action_website_configuration")
        self.page.wait_for_timeout(2500)  # it is a long page

    def speak(self, language: str) -> None:
        admin = self.find("res.users", [("login", "=", "admin")])
        self.client.call("res.users", "write", [admin], {"lang": language})
        # The session learns of it with one page, and shows it on the next.
        self.open("meta_capi_dashboard_action")

    def shoot(self, name: str, whole: bool = False, around: str | None = None) -> None:
        """Take a picture of the window, the whole page, or what is around something."""
        if self.chosen and name not in self.chosen:
            return
        size = self.page.viewport_size
        assert size
        clip: FloatRect | None = None
        if whole or around:
            # Odoo scrolls inside the page: make the window as high as what is in it.
            height = self.page.evaluate(
                "Math.max(...[...document.querySelectorAll('.o_action_manager *')]"
                ".filter(x => /auto|scroll/.test(getComputedStyle(x).overflowY))"
                ".map(x => x.getBoundingClientRect().top + x.scrollHeight)) + 20"
            )
            self.page.set_viewport_size(
                {"width": size["width"], "height": min(int(height), 8000)}
            )
            self.page.wait_for_timeout(400)
        if around:
            box = self.page.locator(around).first.bounding_box()
            assert box
            left, top = max(box["x"] - 12, 0), box["y"] - 12
            clip = {
                **{"x": left, "y": top},
                **{"width": min(box["width"] + 24, size["width"] - left)},
                **{"height": box["height"] + 24},
            }
        self.page.screenshot(path=f"{self.target}/{name}.png", clip=clip)
        self.page.set_viewport_size(size)


def take(camera: Camera, suffix: str) -> None:
    take_main(camera, suffix)
    failed = [("state", "=", "failed"), ("error_subcode", "=", 2804023)]
    camera.open("meta_capi_event_action", camera.find("meta.capi.event", failed))
    camera.shoot(f"form{suffix}", whole=True)
    held = [("state", "=", "pending"), ("is_held", "=", True)]
    camera.open("meta_capi_event_action", camera.find("meta.capi.event", held))
    camera.shoot(f"held{suffix}")
    sent = [("state", "=", "sent"), ("event_name", "=", "Purchase")]
    camera.open("meta_capi_event_action", camera.find("meta.capi.event", sent))
    camera.shoot(f"sent{suffix}", whole=True)
    camera.open("meta_capi_pixel_action")
    camera.shoot(f"pixels{suffix}")
    pixel = camera.find("meta.capi.pixel", [("state", "=", "stopped")])
    camera.open("meta_capi_pixel_action", pixel)
    camera.shoot(f"pixel{suffix}")
    camera.open("meta_capi_quality_action")
    camera.shoot(f"quality{suffix}")
    camera.open("meta_capi_quality_action", view="graph")
    camera.shoot(f"quality-graph{suffix}")
    purchase = camera.find("meta.capi.quality", [("event_name", "=", "Purchase")])
    camera.open("meta_capi_quality_action", purchase)
    camera.shoot(f"quality-form{suffix}", whole=True)
    for view in ("pivot", "graph", "kanban"):
        camera.open("meta_capi_event_action", view=view)
        camera.shoot(f"{view}{suffix}")
    action = camera.find("ir.actions.server", [("state", "=", "meta_capi")])
    camera.open_record("ir.actions.server", action)
    camera.shoot(f"action{suffix}", whole=True)
    customer = camera.find("res.partner", [("name", "=", "Jane Doe")])
    camera.open_record("res.partner", customer)
    camera.shoot(f"customer{suffix}")


def take_main(camera: Camera, suffix: str) -> None:
    """Take the pages that are looked at in a language from right to left, too."""
    camera.open("meta_capi_dashboard_action")
    camera.shoot(f"overview{suffix}", whole=True)
    camera.open("meta_capi_event_action")
    camera.shoot(f"list{suffix}")
    camera.open_settings()
    camera.shoot(f"settings{suffix}", around=SETTINGS)
    camera.page.evaluate(_UNFOLD)
    camera.shoot(f"settings-open{suffix}", around=SETTINGS)


def main(
    url: str, database: str, series: str, target: str, chromium: str, *chosen: str
) -> None:
    client = OdooClient(url)
    client.log_in(database, "admin", "admin")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        for suffix, width, height in WINDOWS:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.on("pageerror", lambda error: print(f"    browser: {error}"))
            camera = Camera(page, client, series, target, set(chosen))
            camera.log_in()
            take(camera, suffix)
            # Without rtlcss Odoo leaves the pages as they are, from left to right.
            if not chosen and shutil.which("rtlcss"):
                camera.speak(ARABIC)
                take_main(camera, f"{suffix}-{ARABIC}")
                camera.speak("en_US")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
