"""Receivers of webhooks that mean harm, or are broken: each costs a bounded time, and holds up nobody."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from core import clock, db, outbox, publisher
from core.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from core.webhooks import endpoints
from core.webhooks.courier import Courier
from tests.factories import make_client
from tests.receiver import receiver

pytestmark = pytest.mark.django_db(transaction=True)

# Where nothing comes in time; what does come has time to on a busy machine.
SECONDS, PATIENCE_SECONDS = 0.5, 15.0
# Far from both the deadline and the end of what hangs, so that a busy machine changes nothing.
BOUND = 60.0
Answer = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _local(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    settings.WEBHOOK_TIMEOUT_SECONDS = PATIENCE_SECONDS
    settings.PAYGO_SANDBOX = True


def says(text: bytes) -> Answer:
    """Answer these bytes and close."""
    return lambda connection: connection.sendall(text)


def repeats(head: bytes, again: bytes, *, pause: float = 0) -> Answer:
    """Answer a beginning, and then the same again for as long as anybody listens."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(again)
            time.sleep(pause)

    return answer


def closes(connection: socket.socket) -> None:
    """Answer nothing."""


def hangs(connection: socket.socket) -> None:
    """Say nothing and keep the line until the other side lets it go; read nothing."""
    line = select.poll()
    line.register(connection, select.POLLRDHUP)
    line.poll(2000 * BOUND)


@contextmanager
def listening(answer: Answer, *, reads: bool = True) -> Iterator[int]:
    """Run a server that answers every connection like this; yield its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if reads:
                _read_request(connection)
            answer(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def _read_request(connection: socket.socket) -> None:
    """Read a request to its end: what is left unread when the line closes would reset it, answer and all."""
    with connection.makefile("rb") as lines:
        length = 0
        while (line := lines.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        lines.read(length)


OK = b"HTTP/1.1 200 OK\r\n"
NO_ANSWER: dict[str, tuple[Answer, str]] = {
    "closes": (closes, "connection"),
    "hangs": (hangs, "timeout"),
    "drips its head": (repeats(OK + b"x: ", b"y", pause=0.02), "timeout"),
    "never ends its head": (repeats(OK, b"x: y\r\n"), "connection"),
    "has one endless line": (repeats(OK + b"x: ", b"y" * 9000), "connection"),
    "has an endless status": (repeats(b"HTTP/1.1 200 ", b"y" * 9000), "connection"),
    "drips its body": (repeats(OK + b"content-length: 100\r\n\r\n", b"y", pause=0.1), "timeout"),
    "breaks a chunk": (says(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), "connection"),
    "is no HTTP": (says(b"SSH-2.0-OpenSSH_9.6\r\n"), "connection"),
    "has no status": (says(b"HTTP/1.1\r\n\r\n"), "connection"),
    "has a status that is no number": (says(b"HTTP/1.1 2OO OK\r\n\r\n"), "connection"),
    "continues for ever": (repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
}
ANSWERS: dict[str, tuple[Answer, int]] = {
    "promises more than it sends": (says(OK + b"content-length: 100\r\n\r\nshort"), 200),
    "sends without end": (repeats(OK + b"\r\n", b"y" * 65536), 200),
    "sends chunks without end": (
        repeats(OK + b"transfer-encoding: chunked\r\n\r\n", b"2000\r\n" + b"y" * 8192 + b"\r\n"),
        200,
    ),
    "claims an immense length": (repeats(OK + b"content-length: 99999999999999\r\n\r\n", b"y" * 65536), 200),
    "claims to be compressed": (says(OK + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"), 200),
    "redirects to metadata": (
        says(b"HTTP/1.1 301 Gone on\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n"),
        301,
    ),
    "redirects to itself": (says(b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"), 302),
    "asks for a password": (
        says(b"HTTP/1.1 401 No\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n"),
        401,
    ),
    "sets cookies and refreshes": (
        says(OK + b"set-cookie: a=b\r\nrefresh: 0; url=/\r\ncontent-length: 0\r\n\r\n"),
        200,
    ),
    "has bytes that are no text": (says(OK + b"x: \xff\xfe\r\ncontent-length: 3\r\n\r\n\0\xff\xfe"), 200),
    "has a status of its own": (says(b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"), 999),
}


def send_to(url: str) -> tuple[WebhookAttempt, float]:
    """Let an event happen and be sent there once; return the attempt and how many seconds it took."""
    vera = make_client()
    endpoints.create(url, client_id=vera.pk, now=clock.now())
    with db.operation():
        outbox.emit("session.started", client_id=vera.pk, subject=uuid4(), payload={}, now=clock.now())
    publisher.publish_all(now=clock.now())
    began = time.monotonic()
    courier = Courier()
    courier.dispatch(now=clock.now())
    courier.wait()
    return WebhookAttempt.objects.get(), time.monotonic() - began


def stays_in_order() -> None:
    """The endpoint is free again, and its delivery waits for its next turn, or is over."""
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.lane_until is not None
    assert endpoint.lane_until <= clock.now()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status == "delivered") or delivery.next_attempt_at > clock.now()


@pytest.mark.parametrize("name", NO_ANSWER)
def test_what_gives_no_answer_is_tried_again_later(name: str, settings: Settings) -> None:
    answer, reason = NO_ANSWER[name]
    settings.WEBHOOK_TIMEOUT_SECONDS = SECONDS if reason == "timeout" else PATIENCE_SECONDS
    with listening(answer) as port:
        attempt, took = send_to(f"http://127.0.0.1:{port}/hook")

    assert (attempt.response_status, attempt.error.partition(":")[0]) == (None, reason)
    assert took < BOUND
    stays_in_order()


@pytest.mark.parametrize("name", ANSWERS)
def test_what_answers_too_much_or_nonsense_is_read_to_a_bound(name: str) -> None:
    answer, status = ANSWERS[name]
    with listening(answer) as port:
        attempt, took = send_to(f"http://127.0.0.1:{port}/hook")

    assert attempt.response_status == status
    assert len(attempt.response_body) <= 4096
    assert took < BOUND
    stays_in_order()


def test_what_reads_nothing_holds_up_nobody(settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = SECONDS
    with listening(hangs, reads=False) as port:
        attempt, took = send_to(f"http://127.0.0.1:{port}/hook")

    assert attempt.error.startswith("timeout")
    assert took < BOUND


@pytest.mark.parametrize("name", ["speaks no TLS", "hangs"])
def test_what_cannot_be_trusted_is_sent_nothing(name: str, settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = SECONDS if name == "hangs" else PATIENCE_SECONDS
    got: list[bytes] = []

    def listens(connection: socket.socket) -> None:
        got.append(connection.recv(65536))
        (says(b"HTTP/1.1 400 No TLS\r\n\r\n") if name == "speaks no TLS" else hangs)(connection)

    with listening(listens, reads=False) as port:
        attempt, took = send_to(f"https://127.0.0.1:{port}/hook")

    assert attempt.error.partition(":")[0] == ("tls" if name == "speaks no TLS" else "timeout")
    assert took < BOUND
    assert b"session.started" not in b"".join(got)


def test_sixteen_that_hang_delay_no_healthy_one(settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = SECONDS
    with listening(hangs) as port, receiver() as healthy:
        for number in range(16):
            client = make_client(f"bad-{number}")
            endpoints.create(f"http://127.0.0.1:{port}/hook", client_id=client.pk, now=clock.now())
            _happens(client.pk)
        publisher.publish_all(now=clock.now())
        courier = Courier()
        courier.dispatch(now=clock.now())
        courier.wait()

        good = make_client("good")
        endpoints.create(healthy.url, client_id=good.pk, now=clock.now())
        for number in range(16):
            _happens(WebhookEndpoint.objects.order_by("pk")[number].client_id)
        _happens(good.pk)
        clock.advance(20_000)
        publisher.publish_all(now=clock.now())
        before = WebhookAttempt.objects.count()
        settings.WEBHOOK_TIMEOUT_SECONDS = 10
        courier.dispatch(now=clock.now())
        courier.wait()

    # Each is written down when it is over.
    first = WebhookAttempt.objects.order_by("pk")[before]
    assert (first.delivery.endpoint.url, first.error) == (healthy.url, "")


def _happens(client_id: int) -> None:
    with db.operation():
        outbox.emit("session.started", client_id=client_id, subject=uuid4(), payload={}, now=clock.now())
