"""HTTP: a request is read and answered, and the fault's part is played."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .answers import Answer
from .control import PIXEL_PATHS, Control

if TYPE_CHECKING:
    from .server import GraphSandbox


class _Hangup(Exception):
    """This connection is done with, whatever is still in its buffers."""


class Wire(ThreadingHTTPServer):
    """One thread per connection, all of which can be closed at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sandbox: GraphSandbox) -> None:
        self.sandbox = sandbox
        self.open: dict[socket.socket, threading.Thread] = {}
        """The thread of each connection."""
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up in the DNS, which may take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def close_connections(self) -> None:
        """Wake every thread up and give it a moment to end."""
        connections = dict(self.open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its thread was faster
        deadline = time.monotonic() + 0.5
        for thread in connections.values():
            thread.join(max(deadline - time.monotonic(), 0))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a bug of the sandbox, not a client that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, has it answered and plays the fault's part on the wire."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet per answer
    server: Wire

    # Connection -----------------------------------------------------------------------

    def setup(self) -> None:
        super().setup()
        self.server.open[self.connection] = threading.current_thread()

    def handle(self) -> None:
        try:
            super().handle()
        except (_Hangup, ConnectionError):
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.open.pop(self.request, None)

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()  # curl waits for it
        return proceed

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time by Meta's clock, as ``Date`` tells it."""
        if timestamp is None:
            timestamp = self.server.sandbox.now()
        return super().date_time_string(int(timestamp))

    def version_string(self) -> str:
        return "GraphSandbox"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: everything is on the page, and a path may hold a token."""

    # Requests -------------------------------------------------------------------------

    def _serve(self) -> None:
        raw = self._read_body()
        path = urlsplit(self.path).path
        if path == "/" or path in PIXEL_PATHS or path.startswith("/_sandbox/"):
            control = Control(self.server.sandbox)
            self._write(control.answer(self.command, self.path, raw))
        else:
            self._serve_graph(raw)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _serve_graph(self, raw: bytes) -> None:
        sandbox = self.server.sandbox
        request = sandbox.receive(self.command, self.path, self.headers, raw)
        if request.fault.delay and sandbox.closing.wait(request.fault.delay):
            raise _Hangup
        answer = sandbox.answer(request)
        fault = request.fault
        if fault.ending == "hang":
            self._wait_for_client_to_go()
            sandbox.finish(request, "hang")
            raise _Hangup
        if fault.ending == "reset":
            sandbox.finish(request, "reset")
            self._reset()
            raise _Hangup
        sandbox.finish(request, fault.ending, answer)
        if fault.ending == "cut":
            self._write(answer, promised=2 * len(answer.body))
            raise _Hangup
        self._write(answer)

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            self._write(Answer(411, b"Content-Length, please", "text/plain"))
            raise _Hangup
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:
            raise _Hangup  # the client died while it wrote
        return raw

    def _write(self, answer: Answer, promised: int | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if promised is None else promised
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _wait_for_client_to_go(self) -> None:
        closing = self.server.sandbox.closing
        while not closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.1)
            if readable:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    return
                closing.wait(0.1)  # it sent more; let it wait

    def _reset(self) -> None:
        """Close with RST: no lingering, and no FIN before it."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.wfile.close()
        self.server.open.pop(self.connection, None)
        os.close(self.connection.detach())
