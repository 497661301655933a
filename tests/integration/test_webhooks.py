"""Webhooks: delivered to whoever listens, in spite of whoever does not, and to no address inside."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings
from requests_hardened.ip_filter import InvalidIPAddress
from standardwebhooks import Webhook, WebhookVerificationError

from core import clock, db, feed, outbox, publisher
from core.deadline import deadline
from core.models import User, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from core.webhooks import deliveries, endpoints, rules, sender
from core.webhooks.courier import LANES, Courier
from core.webhooks.errors import EndpointDisabled, EndpointNotFound, TooManyEndpoints, UrlRefused
from tests.concurrency.threads import wait_until
from tests.factories import make_client
from tests.receiver import Receiver, receiver, secret_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _local(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    # Who answers has time to on a busy machine.
    settings.WEBHOOK_TIMEOUT_SECONDS = 15.0
    settings.PAYGO_SANDBOX = True


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def vera() -> User:
    return make_client()


def listen(client: User, url: str, **asked: object) -> WebhookEndpoint:
    return endpoints.create(url, client_id=client.pk, now=clock.now(), **asked)  # type: ignore[arg-type]


def happen(client: User, kind: str = "session.started", **payload: object) -> None:
    with db.operation():
        outbox.emit(kind, client_id=client.pk, subject=uuid4(), payload=payload, now=clock.now())


def deliver() -> None:
    publisher.publish_all(now=clock.now())
    courier = Courier()
    courier.dispatch(now=clock.now())
    courier.wait()


def pass_time(wait: timedelta) -> None:
    clock.advance(int(wait.total_seconds() * 1000))


def deliveries_of(endpoint: WebhookEndpoint) -> list[str]:
    return list(
        WebhookDelivery.objects.filter(endpoint=endpoint).order_by("id").values_list("status", flat=True)
    )


def test_delivers_an_event_signed_by_standard_webhooks(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    happen(vera, amount="1.5")

    deliver()

    (event,) = feed.page(client_id=vera.pk, after=0, limit=10).events
    assert hook.verified(endpoint.secret) == [feed.envelope(event)]
    assert hook.got[0][0]["webhook-id"] == str(event.uid)
    (attempt,) = WebhookAttempt.objects.all()
    assert (attempt.response_status, attempt.number, attempt.error) == (204, 1, "")
    assert attempt.request_headers["webhook-signature"] == hook.got[0][0]["webhook-signature"]
    assert deliveries_of(endpoint) == ["delivered"]


def test_signs_by_the_time_of_the_world_in_a_sandbox_that_runs_ahead(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    pass_time(timedelta(days=30))
    happen(vera)

    deliver()

    assert len(hook.verified(endpoint.secret)) == 1


def test_delivers_only_the_kinds_and_the_clients_asked_for(vera: User, hook: Receiver) -> None:
    listen(vera, hook.url, kinds=["session.ended"])
    happen(vera)
    happen(vera, "session.ended")
    happen(make_client("mallory"), "session.ended")

    deliver()

    assert len(hook.got) == 1


def test_after_a_rotation_both_secrets_verify_until_the_old_one_ends(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    old = endpoint.secret
    endpoints.rotate(endpoint.public_id, client_id=vera.pk, overlap=timedelta(hours=1), now=clock.now())
    new = secret_of(endpoint)
    happen(vera)
    deliver()
    assert hook.verified(old) == hook.verified(new)

    hook.got.clear()
    pass_time(timedelta(hours=1))
    happen(vera)
    deliver()

    assert len(hook.verified(new)) == 1
    with pytest.raises(WebhookVerificationError):
        hook.verified(old)


def test_a_second_rotation_keeps_the_secret_that_the_receiver_has(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    known = endpoint.secret
    for _ in range(2):
        endpoints.rotate(endpoint.public_id, client_id=vera.pk, overlap=timedelta(hours=1), now=clock.now())
    happen(vera)

    deliver()

    assert hook.verified(known) == hook.verified(secret_of(endpoint))


def test_a_rotation_without_overlap_ends_all_old_secrets(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    stolen = endpoint.secret
    for hours in (1, 0):
        overlap = timedelta(hours=hours)
        endpoints.rotate(endpoint.public_id, client_id=vera.pk, overlap=overlap, now=clock.now())
    happen(vera)

    deliver()

    assert len(hook.verified(secret_of(endpoint))) == 1
    with pytest.raises(WebhookVerificationError):
        hook.verified(stolen)


def test_a_refused_delivery_is_tried_again_with_the_same_body_and_id(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    hook.status, hook.body = 500, b"not today"
    happen(vera)
    deliver()
    deliver()
    assert len(hook.got) == 1

    hook.status = 204
    pass_time(timedelta(seconds=7))
    deliver()

    assert len(hook.got) == 2
    assert hook.got[0][1] == hook.got[1][1]
    assert hook.got[0][0]["webhook-id"] == hook.got[1][0]["webhook-id"]
    assert [
        (each.response_status, each.response_body) for each in WebhookAttempt.objects.order_by("number")
    ] == [
        (500, "not today"),
        (204, ""),
    ]
    assert deliveries_of(endpoint) == ["delivered"]
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None


def test_retries_over_three_days_and_then_gives_up(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    other = listen(vera, hook.url)
    hook.status = 500
    happen(vera)
    publisher.publish_all(now=clock.now())
    delivery = WebhookDelivery.objects.get(endpoint=endpoint)
    WebhookDelivery.objects.filter(endpoint=other).delete()
    began, at = clock.now(), clock.now()

    for _ in range(len(rules.RETRIES) + 1):
        delivery.refresh_from_db()
        # Something else is taken in between, so that the endpoint itself is not switched off.
        WebhookEndpoint.objects.update(failing_since=None, failures=0)
        assert delivery.next_attempt_at is not None
        at = delivery.next_attempt_at
        deliveries.record(delivery, sender.send(delivery, now=at), now=at)

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("failed", 10)
    assert timedelta(days=2, hours=12) < at - began < timedelta(days=3, hours=20)


def test_switches_off_what_took_nothing_for_three_days_and_says_so(vera: User, hook: Receiver) -> None:
    dead = listen(vera, hook.url)
    hook.status = 500
    happen(vera)
    deliver()
    hook.status = 204
    with receiver() as healthy:
        listen(vera, healthy.url, kinds=["webhook.disabled"])
        hook.status = 500
        pass_time(timedelta(days=3, hours=1))
        deliver()
        deliver()

        dead.refresh_from_db()
        assert (dead.disabled_reason, dead.is_enabled) == ("failing", False)
        assert deliveries_of(dead) == ["failed"]
        assert b"webhook.disabled" in healthy.got[0][1]


def test_switches_off_at_once_what_says_that_it_is_gone(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    hook.status = 410
    happen(vera)

    deliver()

    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == "gone"


def test_a_dead_endpoint_delays_nobody(vera: User, hook: Receiver, settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 8.0
    with receiver() as tarpit:
        tarpit.drip = 0.05
        slow = [listen(vera, tarpit.url) for _ in range(3)]
        for _ in range(5):
            happen(vera)
        fast = listen(make_client("fast"), hook.url)
        happen(User.objects.get(username="fast"))
        publisher.publish_all(now=clock.now())

        courier = Courier()
        assert courier.dispatch(now=clock.now()) == 4
        courier.wait()

    # Each is written down when it is over.
    first = WebhookAttempt.objects.order_by("pk")[0]
    assert (first.delivery.endpoint, first.error) == (fast, "")
    # One request each: what does not answer is left alone, with all that it is owed.
    assert [WebhookAttempt.objects.filter(delivery__endpoint=each).count() for each in slow] == [1, 1, 1]
    assert all("timeout" in each.error for each in WebhookAttempt.objects.filter(delivery__endpoint__in=slow))
    assert deliveries_of(fast) == ["delivered"]
    assert Courier().dispatch(now=clock.now()) == 0


def test_slow_endpoints_of_one_client_leave_lanes_to_the_others(
    vera: User, hook: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 20
    with receiver() as slow:
        slow.gate.clear()
        for _ in range(LANES):
            listen(vera, slow.url)
        happen(vera)
        publisher.publish_all(now=clock.now())
        courier = Courier()
        assert courier.dispatch(now=clock.now()) == LANES // 4
        # Nor has the client another share in another process.
        assert Courier().dispatch(now=clock.now()) == 0
        listen(make_client("fast"), hook.url)
        happen(User.objects.get(username="fast"))
        publisher.publish_all(now=clock.now())

        assert courier.dispatch(now=clock.now()) == 1
        wait_until(lambda: bool(hook.got))
        answered_meanwhile = WebhookAttempt.objects.filter(url=slow.url).count()
        slow.gate.set()
        courier.wait()

    assert answered_meanwhile == 0
    assert WebhookAttempt.objects.filter(url=slow.url).count() == LANES // 4


def test_a_dead_endpoint_takes_no_lane_from_its_clients_healthy_ones(vera: User, hook: Receiver) -> None:
    for _ in range(LANES - 4):
        listen(vera, hook.url)
    WebhookEndpoint.objects.update(failing_since=clock.now(), failures=1)
    for _ in range(4):
        listen(vera, hook.url)
    happen(vera)
    publisher.publish_all(now=clock.now())

    claimed = [
        len(deliveries.claim_lanes(limit=LANES, share=4, healthy=healthy, now=clock.now()))
        for healthy in (False, True)
    ]

    assert claimed == [4, 4]


def test_a_resolver_that_hangs_holds_no_lane(
    vera: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    endpoint = listen(vera, "https://lost.example/hook")
    answered = threading.Event()
    settings.WEBHOOK_TIMEOUT_SECONDS = 1.0

    def hang(*_: object, **__: object) -> None:
        answered.wait(60)
        raise socket.gaierror

    happen(vera)
    publisher.publish_all(now=clock.now())
    (delivery,) = deliveries.due(endpoint, now=clock.now(), limit=1)
    monkeypatch.setattr(socket, "getaddrinfo", hang)

    answer = sender.send(delivery, now=clock.now())
    answered.set()

    assert answer.error.startswith("timeout")


def test_one_process_at_a_time_sends_to_an_endpoint_and_a_dead_one_gives_it_back(
    vera: User, hook: Receiver
) -> None:
    listen(vera, hook.url)
    happen(vera)
    publisher.publish_all(now=clock.now())

    assert len(deliveries.claim_lanes(limit=5, share=5, healthy=True, now=clock.now())) == 1
    assert deliveries.claim_lanes(limit=5, share=5, healthy=True, now=clock.now()) == []
    pass_time(deliveries.LEASE)
    assert len(deliveries.claim_lanes(limit=5, share=5, healthy=True, now=clock.now())) == 1


def test_gives_up_what_waited_for_longer_than_a_delivery_lives(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    happen(vera)
    publisher.publish_all(now=clock.now())
    pass_time(rules.LIFE)

    assert deliveries.give_up_old(now=clock.now()) == 1
    assert deliveries_of(endpoint) == ["failed"]


def test_redelivers_with_the_same_id_and_never_twice_at_once(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    happen(vera)
    deliver()
    first = WebhookDelivery.objects.get()

    again = [endpoints.redeliver(first.public_id, client_id=vera.pk, now=clock.now()) for _ in range(2)]
    deliver()

    assert again[0] == again[1]
    assert again[0].is_redelivery
    assert len(hook.got) == 2
    assert hook.got[0][0]["webhook-id"] == hook.got[1][0]["webhook-id"]
    endpoints.disable(endpoint.public_id, client_id=vera.pk, now=clock.now())
    with pytest.raises(EndpointDisabled):
        endpoints.redeliver(first.public_id, client_id=vera.pk, now=clock.now())


def test_replays_what_an_endpoint_missed_and_nothing_else(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    happen(vera, n=1)
    deliver()
    endpoints.disable(endpoint.public_id, client_id=vera.pk, now=clock.now())
    happen(vera, n=2)
    happen(vera, n=3)
    deliver()
    hook.got.clear()
    with pytest.raises(CommandError, match="enable"):
        call_command("replay_webhooks", endpoint.public_id)

    call_command("replay_webhooks", endpoint.public_id, "--enable")
    deliver()

    bodies = hook.verified(endpoint.secret)
    assert [each["data"].get("n") for each in bodies] == [None, 2, 3]  # type: ignore[attr-defined]
    call_command("replay_webhooks", endpoint.public_id)
    assert WebhookDelivery.objects.filter(status="pending").count() == 0


def test_a_deleted_endpoint_is_sent_nothing_and_is_not_found(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)
    happen(vera)
    publisher.publish_all(now=clock.now())

    endpoints.delete(endpoint.public_id, client_id=vera.pk, now=clock.now())
    deliver()

    assert hook.got == []
    with pytest.raises(EndpointNotFound):
        endpoints.find(endpoint.public_id, client_id=vera.pk)
    assert WebhookEndpoint.objects.get().secret == ""


def test_refuses_more_endpoints_than_a_client_may_have(
    vera: User, hook: Receiver, settings: Settings
) -> None:
    settings.MAX_WEBHOOK_ENDPOINTS = 2
    listen(vera, hook.url)
    listen(vera, hook.url)

    with pytest.raises(TooManyEndpoints):
        listen(vera, hook.url)


INSIDE = [
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://2130706433/x",
    "https://0x7f000001/x",
    "https://0/x",
    "https://localhost/x",
    "https://10.0.0.1/x",
    "https://192.168.1.1/x",
    "https://172.16.0.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:a9fe:a9fe]/x",
    "https://[fe80::1]/x",
    "https://[fd00:ec2::254]/x",
    "https://[64:ff9b::7f00:1]/x",
    "https://[2002:7f00:1::]/x",
    "https://[fec0::1]/x",
    "https://[::7f00:1]/x",
    "https://[::ffff:0:7f00:1]/x",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/x",
    "https://168.63.129.16/x",
    "https://224.0.0.1/x",
    "http://example.com/x",
    "ftp://example.com/x",
    "https://user:secret@example.com/x",
    "https:///x",
    "gopher://127.0.0.1:6379/_FLUSHALL",
]


@pytest.mark.parametrize("url", INSIDE)
def test_dials_no_address_inside_however_it_is_written(vera: User, url: str, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False
    endpoint = WebhookEndpoint.objects.create(
        client=vera, url=url, secret="whsec_c2VjcmV0", created_at=clock.now()
    )
    happen(vera)
    publisher.publish_all(now=clock.now())

    answer = sender.send(deliveries.due(endpoint, now=clock.now(), limit=1)[0], now=clock.now())

    assert answer.status is None
    assert "address_refused" in answer.error


@pytest.mark.parametrize(
    "url", [each for each in INSIDE if each.startswith("https://") and "@" not in each][:-1]
)
def test_the_transport_itself_dials_no_address_inside(url: str, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False

    with deadline(30.0), sender._session() as session, pytest.raises(InvalidIPAddress):
        session.post(url, timeout=30.0)


def test_a_name_that_comes_to_mean_an_address_inside_is_not_dialled(
    vera: User, hook: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False
    port = int(hook.url.split(":")[2].split("/")[0])
    endpoint = listen(vera, f"https://rebound.example:{port}/hook")
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: inside)
    happen(vera)
    publisher.publish_all(now=clock.now())

    answer = sender.send(deliveries.due(endpoint, now=clock.now(), limit=1)[0], now=clock.now())

    assert "address_refused" in answer.error
    assert hook.got == []


BY_TEXT = ("https://localhost", "https://127.1/", "https://2130706433", "https://0")


@pytest.mark.parametrize("url", [each for each in INSIDE if not each.startswith(BY_TEXT)])
def test_refuses_at_once_an_address_that_is_inside_by_its_text(
    vera: User, url: str, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False

    with pytest.raises(UrlRefused):
        listen(vera, url)


def test_follows_no_redirect(vera: User, hook: Receiver) -> None:
    with receiver() as inside:
        listen(vera, hook.url)
        hook.status, hook.headers = 307, {"location": inside.url}
        happen(vera)

        deliver()

        assert inside.got == []
    assert WebhookAttempt.objects.get().response_status == 307


def test_reads_a_bounded_part_of_an_answer(vera: User, hook: Receiver) -> None:
    listen(vera, hook.url)
    hook.status, hook.body = 200, b"\0" + b"x" * 1_000_000
    happen(vera)

    deliver()

    assert len(WebhookAttempt.objects.get().response_body) == 4096


def test_signs_what_the_library_verifies_with_a_secret_of_256_bits(vera: User, hook: Receiver) -> None:
    endpoint = listen(vera, hook.url)

    assert len(Webhook(endpoint.secret)._whsecret) == 32
