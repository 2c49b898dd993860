from __future__ import annotations

import doctest
import io
import json
import os
import socket
import struct
import tempfile
import threading
from itertools import repeat
from unittest.mock import Mock, patch

import requests
from urllib3.exceptions import LocationParseError

from ..capi import client as client_module
from ..capi.answer import MAX_KEPT_BODY
from ..capi.client import GraphClient, encode, take_batch
from ..capi.const import MAX_EVENTS, MAX_REQUEST_BYTES, PARTNER_AGENT
from ..capi.errors import InvalidParameter
from ..capi.graph_errors import Outcome

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

PIXEL = "1234567890"
TOKEN = "EAAtoken|with-a-bar"
EVENTS = [
    encode({"event_name": "Purchase", "event_id": "é1"}),
    encode({"event_name": "Lead", "event_id": "2"}),
]
ACCEPTED = b'{"events_received": 2, "messages": [], "fbtrace_id": "A1b"}'


def http(status, body=b"", *headers):
    """Return the bytes of an answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class WireServer:
    """Answers requests on 127.0.0.1 with the given bytes, one after the other.

    None resets the connection instead. An answer that is cut short ends with it.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []  # request line, headers in lower case, body, connection
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.socket.close()

    def _accept(self):
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            args = connection, self.connections
            threading.Thread(target=self._serve, args=args, daemon=True).start()

    def _serve(self, connection, number):
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline().decode().strip():
                headers = {}
                while header := stream.readline().decode().strip():
                    name, value = header.split(": ", 1)
                    headers[name.lower()] = value
                body = stream.read(int(headers.get("content-length", 0)))
                self.requests.append((line, headers, body, number))
                answer = self.answers.pop(0)
                if answer is None:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                connection.sendall(answer)
                head, _blank, sent = answer.partition(b"\r\n\r\n")
                if b"Content-Length: %d" % len(sent) not in head:
                    return


class ClientCase(BaseCase):
    def setUp(self):
        super().setUp()
        sessions = patch.object(client_module._sessions, "by_key", {})
        self.sessions = sessions.start()
        self.addCleanup(sessions.stop)
        self.addCleanup(self.close_sessions)

    def close_sessions(self):
        for session in self.sessions.values():
            session.close()

    def serve(self, *answers):
        """Return a server and a client of it."""
        server = WireServer(*answers)
        self.addCleanup(server.close)
        return server, GraphClient(server.url, "v26.0")


class TestRequest(ClientCase):
    def test_events_are_posted_as_documented(self):
        server, client = self.serve(http(200, ACCEPTED))
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertIs(answer.outcome, Outcome.ACCEPTED)
        self.assertEqual(answer.http_status, 200)
        self.assertEqual(answer.fbtrace_id, "A1b")
        [(line, headers, body, _connection)] = server.requests
        self.assertEqual(line, f"POST /v26.0/{PIXEL}/events HTTP/1.1")
        self.assertEqual(headers["authorization"], f"Bearer {TOKEN}")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertNotIn("content-encoding", headers)
        self.assertNotIn(TOKEN.encode(), body)
        self.assertEqual(
            json.loads(body),
            {
                "data": [
                    {"event_name": "Purchase", "event_id": "é1"},
                    {"event_name": "Lead", "event_id": "2"},
                ],
                "partner_agent": PARTNER_AGENT,
            },
        )

    def test_test_event_code_is_sent_only_if_set(self):
        server, client = self.serve(*[http(200, ACCEPTED)] * 3)
        for code in ("TEST123", None, ""):
            client.send_events(PIXEL, TOKEN, EVENTS, code)
        codes = [
            json.loads(body).get("test_event_code") for _, _, body, _ in server.requests
        ]
        self.assertEqual(codes, ["TEST123", None, None])

    def test_a_path_in_the_base_url_is_kept(self):
        server, _client = self.serve(http(200, ACCEPTED))
        client = GraphClient(server.url + "/graph/", "v26.0")
        client.send_events(PIXEL, TOKEN, EVENTS)
        [(line, *_rest)] = server.requests
        self.assertEqual(line, f"POST /graph/v26.0/{PIXEL}/events HTTP/1.1")

    def test_pixel_is_asked_for_by_its_id(self):
        body = json.dumps({"id": PIXEL, "name": "Shop"}).encode()
        server, client = self.serve(http(200, body))
        answer = client.get_pixel(PIXEL, TOKEN)
        self.assertIs(answer.outcome, Outcome.ACCEPTED)
        self.assertEqual(json.loads(answer.body)["name"], "Shop")
        [(line, headers, body, _connection)] = server.requests
        self.assertEqual(line, f"GET /v26.0/{PIXEL}?fields=id%2Cname HTTP/1.1")
        self.assertEqual(headers["authorization"], f"Bearer {TOKEN}")
        self.assertEqual(body, b"")

    def test_a_send_only_token_may_not_read_the_pixel(self):
        body = b'{"error": {"message": "(#100) Missing Permission", "code": 100}}'
        _server, client = self.serve(http(400, body))
        answer = client.get_pixel(PIXEL, TOKEN)
        self.assertIs(answer.outcome, Outcome.AMBIGUOUS)
        self.assertEqual(answer.error_message, "(#100) Missing Permission")

    def test_without_a_usable_pixel_or_token_no_request_is_made(self):
        session = Mock()
        client = GraphClient(session=session)
        rows = (
            ("", TOKEN),
            (False, TOKEN),
            ("../me", TOKEN),
            ("12\n", TOKEN),
            ("١٢", TOKEN),
            (PIXEL, ""),
            (PIXEL, False),
            (PIXEL, "two words"),
            (PIXEL, "EAA\r\nX-Injected: 1"),
            (PIXEL, "EAA…"),
        )
        for pixel_id, token in rows:
            with self.subTest(pixel_id=pixel_id, token=token):
                for answer in (
                    client.send_events(pixel_id, token, EVENTS),
                    client.get_pixel(pixel_id, token),
                ):
                    self.assertIs(answer.outcome, Outcome.STOPPED)
                    self.assertTrue(answer.error_message)
                    self.assertNotIn("EAA", repr(answer))
        session.request.assert_not_called()

    def test_time_out_is_one_number_and_redirects_are_off(self):
        session = Mock()
        session.request.side_effect = requests.ReadTimeout
        GraphClient(timeout=7.5, session=session).send_events(PIXEL, TOKEN, EVENTS)
        options = session.request.call_args.kwargs
        self.assertEqual(options["timeout"], 7.5)
        self.assertIs(options["allow_redirects"], False)


class TestWire(ClientCase):
    def test_redirects_are_neither_followed_nor_understood(self):
        targets = ("/v26.0/elsewhere", "http://[", "http://127.0.0.1:1/", "\xff", "")
        for target in targets:
            with self.subTest(target=target):
                redirect = http(307, b"moved", f"Location: {target}")
                server, client = self.serve(redirect, http(200, ACCEPTED))
                answer = client.send_events(PIXEL, TOKEN, EVENTS)
                self.assertIs(answer.outcome, Outcome.UNKNOWN)
                self.assertEqual(answer.http_status, 307)
                self.assertFalse(answer.arrived)
                self.assertEqual(len(server.requests), 1)

    def test_the_connection_is_kept_alive(self):
        server, client = self.serve(*[http(200, ACCEPTED)] * 3)
        for each in (client, client, GraphClient(server.url)):
            answer = each.send_events(PIXEL, TOKEN, EVENTS)
            self.assertIs(answer.outcome, Outcome.ACCEPTED)
        self.assertEqual(server.connections, 1)

    def test_each_thread_has_a_connection_of_its_own(self):
        server, client = self.serve(*[http(200, ACCEPTED)] * 2)
        client.send_events(PIXEL, TOKEN, EVENTS)
        args = PIXEL, TOKEN, EVENTS
        thread = threading.Thread(target=client.send_events, args=args)
        thread.start()
        thread.join()
        self.assertEqual([request[3] for request in server.requests], [1, 2])

    def test_cookies_are_not_kept(self):
        answer = http(200, ACCEPTED, "Set-Cookie: a=b; Path=/")
        server, client = self.serve(answer, answer)
        client.send_events(PIXEL, TOKEN, EVENTS)
        client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertNotIn("cookie", server.requests[1][1])

    def test_a_password_in_netrc_does_not_replace_the_token(self):
        server, _client = self.serve(http(200, ACCEPTED))
        with tempfile.NamedTemporaryFile("w", suffix="netrc") as netrc:
            netrc.write("machine 127.0.0.1 login me password secret\n")
            netrc.flush()
            environment = {"NETRC": netrc.name, "NO_PROXY": "127.0.0.1"}
            with patch.dict(os.environ, environment), requests.Session() as session:
                client = GraphClient(server.url, session=session)
                client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertEqual(server.requests[0][1]["authorization"], f"Bearer {TOKEN}")

    def test_plain_http_to_this_machine_does_not_go_through_a_proxy(self):
        proxy, _client = self.serve(http(200, ACCEPTED))
        server, client = self.serve(http(200, ACCEPTED))
        environment = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url}
        with patch.dict(os.environ, environment):
            client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertEqual(len(server.requests), 1)
        self.assertEqual(proxy.requests, [])

    def test_a_reset_is_not_followed_by_a_resend(self):
        server, client = self.serve(None, http(200, ACCEPTED))
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertIs(answer.outcome, Outcome.TRANSIENT)
        self.assertIsNone(answer.http_status)
        self.assertTrue(answer.arrived)
        self.assertEqual(len(server.requests), 1)

    def test_a_reset_of_a_kept_connection_is_one_attempt(self):
        server, client = self.serve(http(200, ACCEPTED), None, http(200, ACCEPTED))
        outcomes = [client.send_events(PIXEL, TOKEN, EVENTS).outcome for _ in range(3)]
        self.assertEqual(
            outcomes, [Outcome.ACCEPTED, Outcome.TRANSIENT, Outcome.ACCEPTED]
        )
        self.assertEqual([request[3] for request in server.requests], [1, 1, 2])

    def test_a_refused_connection_did_not_take_the_events(self):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        client = GraphClient(f"http://127.0.0.1:{port}")
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertIs(answer.outcome, Outcome.TRANSIENT)
        self.assertFalse(answer.arrived)
        self.assertEqual(answer.error_message, "Meta could not be reached")

    def test_a_body_cut_short_keeps_what_came(self):
        cut = http(200, ACCEPTED)[:-20]
        _server, client = self.serve(cut)
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertIs(answer.outcome, Outcome.TRANSIENT)
        self.assertEqual(answer.http_status, 200)
        self.assertTrue(answer.arrived)
        self.assertEqual(answer.body, ACCEPTED[:-20].decode())

    def test_a_refusal_cut_short_still_says_how_long_to_wait(self):
        cut = http(429, b"<html>later</html>", "Retry-After: 90")[:-5]
        _server, client = self.serve(cut)
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertIs(answer.outcome, Outcome.THROTTLED)
        self.assertEqual(answer.retry_after, 90)

    def test_what_is_not_http_is_no_answer(self):
        for garbage in (
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"\r\n\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
        ):
            with self.subTest(garbage=garbage):
                _server, client = self.serve(garbage)
                answer = client.send_events(PIXEL, TOKEN, EVENTS)
                self.assertIs(answer.outcome, Outcome.TRANSIENT)
                self.assertTrue(answer.arrived)

    def test_contradicting_lengths_are_a_broken_answer(self):
        _server, client = self.serve(http(200, ACCEPTED, "Content-Length: 7"))
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertIs(answer.outcome, Outcome.TRANSIENT)
        self.assertTrue(answer.arrived)

    def test_a_body_in_another_encoding_is_survived(self):
        _server, client = self.serve(http(502, b"<html>\xff\xfe\x00</html>"))
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertEqual(answer.body, "<html>��</html>")

    def test_chunked_answers_are_read(self):
        chunked = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(ACCEPTED), ACCEPTED)
        )
        _server, client = self.serve(chunked)
        answer = client.send_events(PIXEL, TOKEN, EVENTS)
        self.assertIs(answer.outcome, Outcome.ACCEPTED)


class TestSlowAndEndless(BaseCase):
    def send(self, response, timeout=10.0):
        session = Mock()
        session.request.return_value = response
        client = GraphClient(timeout=timeout, session=session)
        return client.send_events(PIXEL, TOKEN, EVENTS)

    def make_response(self, raw=None, status=200):
        response = requests.Response()
        response.status_code = status
        response.raw = raw
        return response

    def test_a_dripping_body_is_left_when_time_is_up(self):
        response = self.make_response(Mock(spec=["close"]))
        response.iter_content = lambda size: repeat(b" ")
        answer = self.send(response, timeout=0)
        self.assertIs(answer.outcome, Outcome.TRANSIENT)
        self.assertTrue(answer.arrived)

    def test_a_dripping_body_is_read_byte_by_byte(self):
        response = self.make_response(io.BytesIO(ACCEPTED))
        response.iter_content = Mock(wraps=response.iter_content)
        self.assertIs(self.send(response).outcome, Outcome.ACCEPTED)
        response.iter_content.assert_called_once_with(1)

    def test_an_endless_body_is_left_when_it_is_too_long(self):
        response = self.make_response(Mock(spec=["close"]), 502)
        response.iter_content = lambda size: repeat(b"x")
        answer = self.send(response, timeout=600)
        self.assertIs(answer.outcome, Outcome.TRANSIENT)
        self.assertEqual(answer.body, "x" * MAX_KEPT_BODY)

    def test_a_response_without_a_stream_is_read(self):
        response = self.make_response()
        response._content = ACCEPTED
        self.assertIs(self.send(response).outcome, Outcome.ACCEPTED)
        self.assertIs(self.send(self.make_response()).outcome, Outcome.TRANSIENT)

    def test_an_error_is_an_answer(self):
        rows = (
            (requests.ConnectTimeout, False),
            (requests.ReadTimeout, True),
            (LocationParseError("a..b"), False),  # not wrapped by requests
            (OSError("no certificate bundle"), False),  # nor this
        )
        for error, arrived in rows:
            with self.subTest(error=error):
                session = Mock()
                session.request.side_effect = error
                client = GraphClient(session=session)
                answer = client.send_events(PIXEL, TOKEN, EVENTS)
                self.assertIs(answer.outcome, Outcome.TRANSIENT)
                self.assertEqual(answer.arrived, arrived)


class TestSecrets(ClientCase):
    def test_the_token_is_nowhere_but_in_the_request(self):
        echo = json.dumps({"error": {"code": 190, "message": f"Malformed {TOKEN}"}})
        server, client = self.serve(
            http(200, ACCEPTED),
            http(401, echo.encode()),
            http(302, b"", f"Location: /?access_token={TOKEN}"),
            None,
            b"nonsense",
        )
        seen = []
        with self.assertLogs(level="DEBUG") as logs:
            for _answer in range(5):
                seen.append(repr(client.send_events(PIXEL, TOKEN, EVENTS)))
        self.assertEqual(len(server.requests), 5)
        seen += logs.output
        seen += [repr(client), str(vars(client))]
        seen += [str(record.__dict__) for record in logs.records]
        for text in seen:
            self.assertNotIn(TOKEN, text)
            self.assertNotIn("Purchase", text)

    def test_nothing_is_said_about_a_refused_address(self):
        with self.assertRaises(InvalidParameter) as caught:
            GraphClient(f"https://graph.facebook.com/?access_token={TOKEN}")
        self.assertNotIn(TOKEN, str(caught.exception))


class TestParameters(BaseCase):
    def test_the_token_goes_to_https_or_this_machine_only(self):
        for url in (
            "https://graph.facebook.com",
            "https://graph.facebook.com/",
            "HTTPS://gateway.example:8443/graph",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://localhost:8080",
            "http://LOCALHOST",
            "http://[::1]:8080",
        ):
            with self.subTest(url=url):
                GraphClient(url)

    def test_other_addresses_are_refused(self):
        for url in (
            "",
            None,
            False,
            "graph.facebook.com",
            "http://graph.facebook.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://128.0.0.1",
            "ftp://graph.facebook.com",
            "file:///etc/passwd",
            "https://",
            "https:///events",
            "https://:443",
            "https://me@graph.facebook.com",
            "https://@graph.facebook.com",
            "https://me:secret@graph.facebook.com",
            "https://graph.facebook.com?",
            "https://graph.facebook.com/?a=b",
            "https://graph.facebook.com/#",
            "https://graph.facebook.com:port",
            "https://graph.facebook.com:99999",
            "https://[::1",
            "https://graph.facebook.com\\@example.com",
            "https://graph.face book.com",
            "https://graph.facebook.com\n",
            "https://gräph.facebook.com",
        ):
            with self.subTest(url=url):
                with self.assertRaises(InvalidParameter) as caught:
                    GraphClient(url)
                self.assertEqual(caught.exception.field, "graph_url")

    def test_api_version_has_two_numbers(self):
        GraphClient(api_version="v7.12")
        for version in ("", None, False, "26.0", "v26", "v26.0/", "v26.0\n", "v٢٦.0"):
            with self.subTest(version=version):
                with self.assertRaises(InvalidParameter) as caught:
                    GraphClient(api_version=version)
                self.assertEqual(caught.exception.field, "api_version")


class TestBatch(BaseCase):
    def test_as_many_events_as_fit(self):
        rows = (
            # sizes, max_events, max_bytes, events
            ([], 10, 1000, 0),
            ([5], 10, 1000, 1),
            ([5000], 10, 1000, 1),
            ([5000, 1], 10, 1000, 1),
            ([1, 5000], 10, 1000, 1),
            ([1] * 20, 10, 1000, 10),
            ([371, 371], 10, 1000, 2),
            ([371, 372], 10, 1000, 1),
        )
        for sizes, max_events, max_bytes, events in rows:
            with self.subTest(sizes=sizes):
                taken = take_batch(
                    iter(sizes), max_events=max_events, max_bytes=max_bytes
                )
                self.assertEqual(taken, events)

    def test_a_request_stays_within_the_limits(self):
        self.assertEqual(take_batch(repeat(10)), MAX_EVENTS)
        event = encode({"event_name": "x" * 5000})
        events = [event] * take_batch(repeat(len(event)))
        session = Mock()
        session.request.side_effect = requests.ReadTimeout
        client = GraphClient(session=session)
        client.send_events(PIXEL, TOKEN, events, "TEST12345")
        size = len(session.request.call_args.kwargs["data"])
        self.assertLessEqual(size, MAX_REQUEST_BYTES)
        self.assertGreater(size, MAX_REQUEST_BYTES - len(event) - 1000)

    def test_numbers_that_are_not_json_are_refused(self):
        for value in (float("nan"), float("inf")):
            with self.subTest(value=value), self.assertRaises(ValueError):
                encode({"value": value})

    def test_examples_in_docstrings_hold(self):
        self.assertEqual(doctest.testmod(client_module).failed, 0)
