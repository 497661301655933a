"""The publisher: every event gets its place once, after commit, so that a reader of positions misses none."""

import threading
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from core import db, feed, outbox, publisher
from core.models import Event, User
from tests.concurrency.threads import TIMEOUT_SECONDS, in_background, lock_held
from tests.factories import NOW, make_client

pytestmark = pytest.mark.django_db(transaction=True)


def happen(
    client: User, *, subject: UUID | None = None, kind: str = "session.started", **payload: object
) -> None:
    with db.operation():
        outbox.emit(kind, client_id=client.pk, subject=subject or uuid4(), payload=payload, now=NOW)


def test_gives_positions_in_order_of_insertion_and_counts_each_subject() -> None:
    vera = make_client()
    one, other = uuid4(), uuid4()
    for subject in (one, other, one):
        happen(vera, subject=subject)

    first = publisher.publish_all(now=NOW)
    happen(vera, subject=one)
    second = publisher.publish_all(now=NOW)

    assert (first, second) == (3, 1)
    page = feed.page(client_id=vera.pk, after=0, limit=10)
    assert [(each.position, each.sequence, each.subject) for each in page.events] == [
        (1, 1, one),
        (2, 1, other),
        (3, 2, one),
        (4, 3, one),
    ]


def test_publishes_a_page_at_a_time_without_a_gap() -> None:
    vera = make_client()
    for _ in range(5):
        happen(vera)

    counts = [publisher.publish(now=NOW, limit=2) for _ in range(4)]

    assert counts == [2, 2, 1, 0]
    assert list(Event.objects.order_by("id").values_list("position", flat=True)) == [1, 2, 3, 4, 5]


def test_an_event_that_commits_late_comes_after_what_was_read() -> None:
    vera = make_client()
    written, finish = threading.Event(), threading.Event()

    def slow() -> None:
        with db.operation():
            outbox.emit("session.started", client_id=vera.pk, subject=uuid4(), payload={"n": 1}, now=NOW)
            written.set()
            assert finish.wait(TIMEOUT_SECONDS)

    with in_background(slow) as writer:
        assert written.wait(TIMEOUT_SECONDS)
        happen(vera, n=2)
        publisher.publish_all(now=NOW)
        seen = feed.page(client_id=vera.pk, after=0, limit=10)
        finish.set()
    writer.result()
    publisher.publish_all(now=NOW)
    later = feed.page(client_id=vera.pk, after=seen.next_after, limit=10)

    # Its number is lower, its position is not.
    assert [each.payload["n"] for each in seen.events] == [2]
    assert [each.payload["n"] for each in later.events] == [1]


def test_one_process_publishes_at_a_time() -> None:
    vera = make_client()
    happen(vera)

    with lock_held("SELECT pg_advisory_xact_lock(%s)", [db.advisory_number("publisher")]):
        meanwhile = publisher.publish(now=NOW)

    assert meanwhile == 0
    assert publisher.publish(now=NOW) == 1


@pytest.mark.parametrize("change", [{"payload": {"n": 2}}, {"kind": "x.y"}, {"position": 7}])
def test_an_event_is_never_changed(change: dict[str, object]) -> None:
    vera = make_client()
    happen(vera, n=1)
    publisher.publish_all(now=NOW)

    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Event.objects.update(**change)


def test_reads_only_the_clients_own_events_of_the_kind_and_subject_asked_for() -> None:
    vera, mallory = make_client(), make_client("mallory")
    subject = uuid4()
    happen(vera, subject=subject)
    happen(vera, subject=subject, kind="session.ended")
    happen(vera)
    happen(mallory)
    publisher.publish_all(now=NOW)

    def kinds(**asked: object) -> list[str]:
        found = feed.page(**{"client_id": vera.pk, "after": 0, "limit": 10, **asked})  # type: ignore[arg-type]
        return [each.kind for each in found.events]

    assert len(kinds()) == 3
    assert kinds(kinds=["session.ended"]) == ["session.ended"]
    assert kinds(subject=subject) == ["session.started", "session.ended"]
    assert kinds(client_id=mallory.pk) == ["session.started"]
    assert feed.page(client_id=vera.pk, after=3, limit=10).next_after == 3
    assert feed.last_position(client_id=vera.pk) == 3
