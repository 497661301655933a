"""What docs/events.md shows runs as it stands: the receiver, the catching up, the listening."""

import re
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from paygo_client import PayGo
from pytest_django.live_server_helper import LiveServer

from core import clock, db, outbox, publisher
from core.models import User
from core.webhooks.courier import Courier
from paygo.api import keys
from paygo.api.hub import hub
from paygo.devstack.ports import free_port
from tests.factories import make_client

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(django_settings.BASE_DIR, "docs", "events.md").read_text()

CATCH_UP, LISTEN, RECEIVER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def _silence(settings: Any) -> Iterator[None]:
    """Let no stream outlive its test: the server notices at its next sign of life."""
    settings.STREAM_HEARTBEAT_SECONDS = 1
    settings.STREAM_LIMIT = settings.STREAM_LIMIT_PER_CLIENT = 4
    yield
    until = time.monotonic() + 60
    while len(hub) and time.monotonic() < until:
        time.sleep(0.05)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs/events.md", "exec"), names)
    return names


@pytest.fixture
def vera() -> User:
    return make_client()


@pytest.fixture
def key(vera: User) -> str:
    return keys.create(vera, name="events", now=clock.now())


@pytest.fixture
def paygo(live_server: LiveServer, key: str) -> Iterator[PayGo]:
    with PayGo(live_server.url, key, longest_wait_seconds=0.1) as client:
        # Else a thread of the test's server waits for more, and holds its connection to the database.
        client._http.headers["Connection"] = "close"
        yield client


def happen(client: User, n: int) -> None:
    with db.operation():
        outbox.emit(
            "session.started", client_id=client.pk, subject=uuid4(), payload={"n": n}, now=clock.now()
        )
    publisher.publish_all(now=clock.now())


def test_catches_up_page_by_page(vera: User, paygo: PayGo) -> None:
    for n in range(3):
        happen(vera, n)
    handled: list[int] = []
    kept: list[int] = []

    run(CATCH_UP)["catch_up"](
        paygo, after=0, handle=lambda event: handled.append(event["data"]["n"]), keep=kept.append
    )

    assert handled == [0, 1, 2]
    assert kept == [paygo.list_events(after=0)["next_after"]]


def test_hears_what_has_happened_since(vera: User, paygo: PayGo) -> None:
    for n in range(2):
        happen(vera, n)
    heard: list[dict[str, Any]] = []

    class Enough(Exception):
        pass

    def handle(event: dict[str, Any]) -> None:
        heard.append(event)
        if len(heard) == 2:
            raise Enough

    with pytest.raises(Enough):
        run(LISTEN)["listen"](paygo, after=0, handle=handle)

    assert [each["data"]["n"] for each in heard] == [0, 1]


def test_the_receiver_takes_what_is_signed_once(
    vera: User,
    key: str,
    live_server: LiveServer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = settings.PAYGO_SANDBOX = True
    monkeypatch.setenv("PAYGO_URL", live_server.url)
    monkeypatch.setenv("PAYGO_API_KEY", key)
    ready, rest = RECEIVER.replace("9000", str(free_port())).split("server.serve_forever()")
    assert not rest.strip()
    receiver = run(ready)
    serving = threading.Thread(target=receiver["server"].serve_forever)
    serving.start()
    try:
        happen(vera, 7)
        courier = Courier()
        courier.dispatch(now=clock.now())
        courier.wait()
    finally:
        receiver["server"].shutdown()
        receiver["server"].server_close()
        serving.join()

    assert capfd.readouterr().out.splitlines() == ["session.started {'n': 7}"]
    assert len(receiver["seen"]) == 1


def test_the_client_goes_on_where_the_server_was_left(vera: User, paygo: PayGo) -> None:
    began = time.monotonic()
    stream = paygo.stream_events(after=0)
    happen(vera, 0)
    first = next(stream)
    stream.close()
    happen(vera, 1)

    again = list(islice(paygo.stream_events(after=int(first.id)), 1))

    assert [each.data["data"]["n"] for each in again] == [1]
    # Signs of life would have filled a buffer of 512 bytes in a minute.
    assert time.monotonic() - began < 30
