"""What the benchmark measures with: Odoo's processes, the receiver, and what is compared."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .. import tools
from ..console import Problem
from ..layout import ADDON, REQUIREMENTS, ROOT
from ..odoo.client import OdooClient
from ..odoo.forking import Forkable
from ..odoo.log import Log
from ..odoo.server import Server, launched
from . import data as bench_data

PIXEL = "1000000000000001"
PIXELS = tuple(str(int(PIXEL) + number) for number in range(4))
# Seconds after which a measurement is not going to end. The largest log takes half of it.
_PATIENCE = 2400


@dataclass
class Rig:
    """A database with the addon, and the means to measure it.

    :param command: starts Odoo with its settings, whose file is named last
    :param python: Odoo's own Python
    :param dsn: what psycopg2 connects with
    :param sql: runs a statement and returns its rows, of one column, as text
    """

    command: Sequence[str | Path]
    python: str | Path
    database: str
    dsn: Mapping[str, Any]
    sql: Callable[[str], list[str]]
    folder: Path
    sink: Sink = field(init=False)
    _parent: Forkable = field(init=False)

    @contextmanager
    def running(self) -> Iterator[Rig]:
        """Have the receiver and the parent of the workers run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command, database = self.command, self.database
        with ExitStack() as stack:
            self.sink = stack.enter_context(Sink.running())
            self._parent = Forkable(command, database, self.folder, "dev.bench.inside")
            stack.callback(self._parent.stop)
            with self.worker() as worker:
                worker.call(
                    "configure",
                    parameters={
                        "meta_capi.enabled": "True",
                        "meta_capi.pixel_id": PIXEL,
                        "meta_capi.extra_pixel_ids": "",
                        "meta_capi.access_token": "bench-token-0123456789",
                        "meta_capi.graph_url": self.sink.url,
                        "meta_capi.bridge_enabled": "True",
                    },
                )
            yield self

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """Have one more process of Odoo, forked from one that has loaded everything."""
        with self._parent.fork() as connection:
            yield Worker(connection, self._parent.log)

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Have Odoo serve, with two workers, the queue's runner and crons."""
        # What others have left would be delivered first.
        self.sql("DELETE FROM queue_job")
        self.sql(f"TRUNCATE {', '.join(bench_data.TABLES)}")
        # Behind a proxy, so that each request can be another visitor's.
        command = (*self._with_floor(), "--proxy-mode")
        log = self.folder / "server.log"
        with launched(command, self.database, log, os.environ) as server:
            yield server

    def _with_floor(self) -> Sequence[str | Path]:
        """Return what starts Odoo with the route of ``floor_route`` as well."""
        addon = self.folder / "addons" / "meta_capi_bench"
        addon.mkdir(parents=True, exist_ok=True)
        route = Path(__file__).with_name("floor_route.py")
        (addon / "__init__.py").write_text(route.read_text())
        manifest = {"name": "Floor", "author": "make bench", "license": "LGPL-3"}
        (addon / "__manifest__.py").write_text(repr(manifest))
        *launcher, settings = self.command
        text = Path(settings).read_text()
        text = text.replace("addons_path = ", f"addons_path = {addon.parent},")
        text = re.sub("(server_wide_modules = .*)", rf"\1,{addon.name}", text)
        with_floor = self.folder / "odoo.conf"
        with_floor.write_text(text)
        return *launcher, with_floor

    def update(self) -> float:
        """Have Odoo update the addon; return the seconds it took."""
        log = Log(self.folder / "update.log", quiet=True)
        start = time.monotonic()
        options = ("-u", ADDON, "--stop-after-init", "--no-http")
        code = log.run((*self.command, "-d", self.database, *options), dict(os.environ))
        if code:
            raise Problem(f"Odoo could not update the addon: see {log.path}.")
        return time.monotonic() - start

    def log_in(self, server: Server) -> OdooClient:
        client = OdooClient(server.url)
        client.log_in(self.database, "admin", "admin")
        return client

    def floor(self, batch: int) -> tuple[int, float]:
        """Deliver by hand; return the events, and the seconds."""
        return self._run_and_count(
            self.python,
            "dev.bench.floor",
            dsn=dict(self.dsn),
            url=self.sink.url,
            pixel_id=PIXEL,
            batch=batch,
        )

    def sdk(self, count: int) -> tuple[int, float]:
        """Send by Meta's own library; return the events, and the seconds."""
        return self._run_and_count(
            sdk_python(),
            "dev.bench.sdk",
            url=self.sink.url,
            pixel_id=PIXEL,
            count=count,
            batch=1000,
        )

    def _run_and_count(
        self, python: str | Path, module: str, **arguments: Any
    ) -> tuple[int, float]:
        events, seconds = self.run(python, module, **arguments)
        return events, seconds

    @staticmethod
    def run(python: str | Path, module: str, **arguments: Any) -> Any:
        """Run a module of ours by another Python; return what it prints as JSON."""
        done = subprocess.run(
            (python, "-m", module, json.dumps(arguments)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Problem(f"{module} failed: {done.stderr[-2000:]}")
        return json.loads(done.stdout)


class Worker:
    """A process of Odoo's that runs functions of ``inside``."""

    def __init__(self, connection: Connection, log: Path) -> None:
        self._connection = connection
        self._log = log

    def call(self, name: str, **arguments: Any) -> Any:
        self.start(name, **arguments)
        return self.result()

    def start(self, name: str, **arguments: Any) -> None:
        self._connection.send((name, arguments))

    def result(self) -> Any:
        if not self._connection.poll(_PATIENCE):
            raise Problem(f"A worker does not come to an end: see {self._log}.")
        try:
            good, value = self._connection.recv()
        except (EOFError, ConnectionError):
            raise Problem(f"A worker has died: see {self._log}.") from None
        if not good:
            raise Problem(f"A worker failed:\n{value}")
        return value


class Sink:
    """The receiver, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self._port = port
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Sink]:
        process = subprocess.Popen(
            (sys.executable, "-m", "dev.bench.sink"),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield cls(process, int(_line_of(process)))
        finally:
            process.kill()
            process.wait()

    def order(self, word: str) -> int:
        """Give an order; return how many clients wait for an answer."""
        assert self._process.stdin
        print(word, file=self._process.stdin, flush=True)
        return int(_line_of(self._process))

    def limit(self, requests: int) -> float:
        """Return how many events per second it takes at the most."""
        event = b'{"event_name":"Purchase","user_data":"%b"}' % (b"x" * 1150)
        body = b'{"data":[%b]}' % b",".join([event] * 800)
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        start = time.perf_counter()
        for _request in range(requests):
            connection.request("POST", "/", body)
            connection.getresponse().read()
        seconds = time.perf_counter() - start
        connection.close()
        return 800 * requests / seconds


def _line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise Problem("The receiver of the benchmark has ended.")
    return line


def sdk_python() -> Path:
    """Return a Python that has Meta's own library, and all that it wants."""
    return tools.python_with("meta-sdk-run", REQUIREMENTS / "meta-sdk.txt")


class Visitors:
    """Visitors of the shop, each from an address of its own."""

    def __init__(self, url: str) -> None:
        self._host = url.partition("//")[2]
        self._url = url
        self._count = 0
        self._lock = threading.Lock()

    def get(self, path: str) -> float:
        """Ask for a page; return the seconds until it is there."""
        start = time.perf_counter()
        with urllib.request.urlopen(self._url + path, timeout=60) as answer:
            answer.read()
        return time.perf_counter() - start

    def post(self, path: str, content: Callable[[int], Any], status: int) -> None:
        """Send JSON as another visitor, and expect an answer's status."""
        with self._lock:
            self._count += 1
            number = self._count
        address = f"198.18.{number // 250 % 250}.{number % 250 + 1}"
        connection = HTTPConnection(self._host, timeout=60)
        connection.request(
            "POST", path, json.dumps(content(number)), self._headers(address)
        )
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != status:
            raise Problem(f"{path} answers HTTP {answer.status} instead of {status}.")

    def _headers(self, address: str) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Origin": f"http://{self._host}",
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0",
            "X-Forwarded-For": address,
            "X-Forwarded-Host": self._host,
            "X-Forwarded-Proto": "http",
        }

    def repeat(self, address: str, path: str, content: Any) -> Callable[[], int]:
        """Return what sends the same JSON from one address and tells the status.

        It is written once and hardly read: what it costs its sender takes from the
        machine that the shop is on, too.
        """
        host, _colon, port = self._host.partition(":")
        body = json.dumps(content)
        headers = {
            "Host": self._host,
            "Content-Length": len(body),
            "Connection": "close",
        }
        headers |= self._headers(address)
        lines = [f"POST {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        message = "\r\n".join([*lines, "", body]).encode()

        def send() -> int:
            with socket.create_connection((host, int(port)), timeout=60) as connection:
                connection.sendall(message)
                answer = connection.recv(64 * 1024)
                while connection.recv(64 * 1024):
                    pass
            return int(answer.split()[1])

        return send

    def rate(
        self, path: str, content: Callable[[int], Any], status: int, count: int
    ) -> float:
        """Send many requests, two at a time; return how many were answered a second."""

        def ask() -> None:
            for _n in range(count // 2):
                self.post(path, content, status)

        start = time.perf_counter()
        in_parallel(2, ask)
        return 2 * (count // 2) / (time.perf_counter() - start)


def in_parallel(threads: int, function: Callable[[], Any]) -> None:
    """Run a function in several threads; what one of them raises is raised."""
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(function) for _thread in range(threads)]:
            future.result()
