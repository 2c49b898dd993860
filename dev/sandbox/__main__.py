"""The sandbox as a process: ``python3 -m dev.sandbox --port 8099``."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import threading

from .server import GraphSandbox


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in for Meta's Graph API.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--pixel", dest="pixel_id", default="1029384756102938", metavar="ID"
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("META_ACCESS_TOKEN"),
        help="default: $META_ACCESS_TOKEN, else a made-up one",
    )
    parser.add_argument("--seed", type=int, help="make faults by chance repeatable")
    parser.add_argument("--max-body", type=int, metavar="BYTES", help="413 above")
    options = parser.parse_args()

    gc.disable()  # what was received is kept: the collector would only reread it all
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with GraphSandbox(**vars(options)) as graph:
        print(graph.url, flush=True)
        print(f"pixel {graph.pixel_id}", flush=True)
        if not options.token:
            print(f"token {graph.token}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
