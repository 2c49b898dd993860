"""A stand-in for Meta that costs next to nothing: it counts the events and says yes.

A process of its own, so that it takes no time of what is measured. A line on its standard
input switches it: ``hang`` to answer nothing, ``heal`` to let go of who waits and answer
again. To each line it replies with the number of those who wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

# However the body is encoded.
_EVENT = b"event_name"


class Sink:
    """What all connections share."""

    def __init__(self) -> None:
        self.is_hanging = False
        self.waiting: set[asyncio.Transport] = set()

    def obey(self, order: str) -> None:
        if order == "hang":
            self.is_hanging = True
        elif order == "heal":
            self.is_hanging = False
            for transport in self.waiting:
                transport.abort()
            self.waiting.clear()


class Connection(asyncio.Protocol):
    """Reads requests one after the other; knows of HTTP just what our clients send."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._received = bytearray()
        self._body_at = 0
        self._end = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._sink.waiting.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._end:
            self._read_head()
        if self._end and len(self._received) >= self._end:
            body = self._received[self._body_at : self._end]
            del self._received[: self._end]
            self._body_at = self._end = 0
            self._answer(body)

    def _read_head(self) -> None:
        head, separator, _rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        for line in head.split(b"\r\n"):
            name, _colon, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            if name.lower() == b"expect":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._body_at = len(head) + len(separator)
        self._end = self._body_at + length

    def _answer(self, body: bytearray) -> None:
        if self._sink.is_hanging:
            self._sink.waiting.add(self._transport)
            return
        answer = json.dumps(
            {
                "events_received": body.count(_EVENT),
                "messages": [],
                "fbtrace_id": "A" * 22,
            }
        ).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )


async def _serve() -> None:
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(sink), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while line := await orders.readline():
        sink.obey(line.decode().strip())
        print(len(sink.waiting), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
