"""Two Odoo servers on one database, behind a balancer: one of them is killed."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from ..console import say
from ..odoo.server import Server
from ..sandbox import slow
from ..testing.tally import Tally
from .audit import check_all
from .events import Events
from .shop import PATIENCE, POLL, Shop

# What a request to Meta takes, in seconds.
_LATENCY = 0.5
# Seconds within which the other server's runner has to take over: it asks every five.
_TAKEN_OVER = 10
# Seconds after which jobs and events that died with a server have to be done.
_DRAINED = 240
# Of queue_job, which its runners elect one of them by.
_RUNNERS_LOCK = 2293787760715711918
# Bytes that are passed on at once.
_PART = 64 * 1024
# As many jobs a server as the one that is alone has.
_CHANNELS = "root:4,root.meta_capi:2"


def two_hosts(
    shop: Shop,
    seed: int,
    tally: Tally,
    backlog: int = 5_000,
    transactions: int = 60,
    size: int = 50,
) -> None:
    """Deliver by one server, then by two, and kill the one whose runner is elected.

    The shop's own server is the one that is alone, and is ended: no chapter follows.
    """
    shop.graph.fail_always(slow(_LATENCY))
    events = Events(shop, f"hosts-{seed}")
    alone = _drained(shop, events, backlog)
    _end(shop.server)
    with ExitStack() as stack:
        balancer = stack.enter_context(Balancer.running())
        hosts = [stack.enter_context(_host(shop, balancer, n)) for n in (1, 2)]
        front = replace(hosts[1], _server=balancer.server_of(hosts[1]))
        events.move(front)
        both = _drained(front, events, backlog)
        say(
            f"    with requests of {_LATENCY} s, {alone:,.0f} events a second by one"
            f" server, {both:,.0f} by two: {both / alone:.1f} times as many"
        )
        tally.check(
            all(balancer.jobs[_port(host)] for host in hosts),
            f"both were given jobs: {[balancer.jobs[_port(host)] for host in hosts]}",
        )
        _kill_the_elected(front, hosts, balancer, events, tally, transactions, size)
        _judge(front, events, tally)


def _drained(shop: Shop, events: Events, backlog: int) -> float:
    """Have many events wait, then deliver them; return how many a second."""
    pixels = shop.pixels[:2]
    shop.set_parameter("batch_delay", "600")
    for pixel in pixels:
        for _n in range(backlog // 1000):
            events.record(pixel, 1000)
    shop.do_not_wait()
    before = shop.requests()
    shop.sweep()
    shop.until_sent("the backlog is sent")
    shop.until(lambda: not shop.open_requests(), "no request is under way")
    requests = list(shop.graph.requests)[before:]
    end = max(request.ended_at or 0 for request in requests)
    return backlog * len(pixels) / (end - requests[0].received_at)


def _kill_the_elected(
    front: Shop,
    hosts: Sequence[Shop],
    balancer: Balancer,
    events: Events,
    tally: Tally,
    transactions: int,
    size: int,
) -> None:
    """Kill a server with all its processes while both record and deliver."""
    recorders = [front.recorder() for _host in hosts]
    work = [[events.make(size) for _n in range(transactions)] for _host in hosts]

    def record(number: int) -> None:
        pixel = front.pixels[number]
        for made in work[number]:
            recorders[number].record(pixel, made)
            events.committed(pixel, made)

    with ThreadPoolExecutor(len(recorders)) as pool:
        futures = [pool.submit(record, number) for number in range(len(recorders))]
        until_some = len(events.recorded) + transactions * size // 2
        front.until(lambda: len(events.recorded) > until_some, "half is recorded")
        elected = front.until(lambda: _elected(hosts), "a runner is elected")
        (other,) = [host for host in hosts if host is not elected]
        survivor = replace(front, _server=balancer.server_of(other))
        port = _port(elected)
        front.until(
            lambda: balancer.at_work[port] and front.open_requests() > 1,
            "both wait for Meta",
        )
        _end(elected.server)
        killed, recorded = time.monotonic(), len(events.recorded)
        survivor.until(lambda: _elected([other]), "the other's runner is elected")
        seconds = time.monotonic() - killed
        for future in futures:
            future.result()
    tally.check(
        seconds <= _TAKEN_OVER,
        f"the server whose runner was elected was killed, {recorded:,} of"
        f" {len(events.recorded):,} events being recorded; the other's took over after"
        f" {seconds:.1f} s; {sum(r.repeated for r in recorders)} transactions made again",
    )
    survivor.until_sent("nothing is pending", seconds=_DRAINED)
    survivor.until(
        lambda: not survivor.count("queue_job", "state NOT IN ('done', 'failed')"),
        "every job is done",
        _DRAINED,
    )
    say(
        f"    all was sent and each job done {time.monotonic() - killed:.0f} s after it"
    )


def _judge(shop: Shop, events: Events, tally: Tally) -> None:
    deliveries = shop.graph.deliveries()
    twice = sum(count > 1 for count in deliveries.values())
    failed = shop.count("queue_job", "state = 'failed'")
    tally.check(
        not failed,
        f"{failed} jobs failed; of {len(deliveries):,} events Meta got {twice} more than"
        " once, and counts each once",
    )
    check_all(shop, events.recorded, tally)


def _elected(hosts: Sequence[Shop]) -> Shop | None:
    """Return the server whose runner holds the lock that only one can have, if any."""
    names = hosts[0].rows(
        "SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        f" AND (classid::bigint << 32) | objid::bigint = {_RUNNERS_LOCK}"
    )
    for host in hosts:
        if any(row["name"] == f"odoo-{pid}" for row in names for pid in host.workers()):
            return host
    return None


def _end(server: Server) -> None:
    """Kill a server as a machine dies: at once, and with all that it has started."""
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()


def _port(host: Shop) -> int:
    return int(host.server.url.rpartition(":")[2])


@contextmanager
def _host(shop: Shop, balancer: Balancer, number: int) -> Iterator[Shop]:
    """Have one more server on the shop's database; its jobs come by the balancer."""
    host = replace(
        shop,
        log=shop.log.with_name(f"host-{number}.log"),
        environment={
            "ODOO_QUEUE_JOB_CHANNELS": _CHANNELS,
            "ODOO_QUEUE_JOB_SCHEME": "http",
            "ODOO_QUEUE_JOB_HOST": "127.0.0.1",
            "ODOO_QUEUE_JOB_PORT": str(balancer.port),
        },
        _server=None,
    )
    with host.serving():
        balancer.hosts.append(_port(host))
        yield host


class Balancer(socketserver.ThreadingTCPServer):
    """Gives each connection to the next server in turn, or to one that still takes it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port = self.server_address[1]
        self.hosts: list[int] = []
        """The ports of the servers."""
        self.jobs: Counter[int] = Counter()
        """How many jobs each of them was asked to run."""
        self.at_work: Counter[int] = Counter()
        """How many of these somebody waits for, a second at most."""
        self._turn = 0

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Balancer]:
        with cls() as balancer:
            threading.Thread(target=balancer.serve_forever, args=(POLL,)).start()
            try:
                yield balancer
            finally:
                balancer.shutdown()

    def server_of(self, host: Shop) -> Server:
        """Return a server as those see it who come by the balancer."""
        return replace(host.server, url=f"http://127.0.0.1:{self.port}")

    def connect(self) -> tuple[int, socket.socket]:
        """Return the port that is next in turn and answers, with a connection to it."""
        self._turn += 1
        ports = [*self.hosts[self._turn % 2 :], *self.hosts[: self._turn % 2]]
        for port in ports:
            with suppress(ConnectionRefusedError):
                return port, socket.create_connection(("127.0.0.1", port), PATIENCE)
        raise ConnectionRefusedError


class _Connection(socketserver.BaseRequestHandler):
    """A client's connection, passed on as it is."""

    server: Balancer

    def handle(self) -> None:
        with suppress(OSError):
            port, host = self.server.connect()
            with host:
                first = self.request.recv(_PART)
                is_job = first.startswith(b"GET /queue_job/runjob")
                self.server.jobs[port] += is_job
                self.server.at_work[port] += is_job
                try:
                    host.sendall(first)
                    back = threading.Thread(target=_pass_on, args=(host, self.request))
                    back.start()
                    _pass_on(self.request, host)
                    back.join()
                finally:
                    self.server.at_work[port] -= is_job


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(_PART):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
