"""Chromium, as Playwright starts it; imported by a Python that has Playwright."""

from __future__ import annotations

from playwright.sync_api import Browser, Playwright


def launch(playwright: Playwright, path: str) -> Browser:
    """Start a Chromium for which nothing but this machine is there."""
    return playwright.chromium.launch(
        executable_path=path,
        args=[
            "--no-sandbox",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ],
    )
