"""`manage.py bill --loop`: the meters in one thread, the node in another, and who is late."""

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from pytest_django.fixtures import Settings

from billing import rounds
from billing.models import IntervalRun
from core import clock
from tests.factories import ZEC, make_active_permission, make_client, make_vendor, stream
from zcash.models import SpendingPermission, WatchedChain

pytestmark = pytest.mark.django_db(transaction=True)

METERS, NODE = ("interval_round", "expiry_round"), ("deposit_round", "refund_round")
Loop = Callable[..., list[str]]


@pytest.fixture
def loop(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """Run the loop until its step (`last`) was reached so many times; return the steps that were begun."""
    settings.BILLING_INTERVAL_SECONDS = settings.DEPOSIT_SCAN_SECONDS = 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    answered = threading.Event()

    def until(
        last: str, *arguments: str, times: int = 1, fails: Exception | None = None, hangs: str = ""
    ) -> list[str]:
        done: list[str] = []

        def noted(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
            def call(**options: Any) -> Any:
                done.append(name)
                if done.count(last) >= times:
                    signal.raise_signal(signal.SIGTERM)
                if fails and done.count(name) == 1:
                    raise fails
                if name == hangs:
                    answered.wait(30)
                return step(**options)

            return call

        for name in (*METERS, *NODE, "scan_is_late"):
            monkeypatch.setattr(rounds, name, noted(name, getattr(rounds, name)))
        call_command("bill", "--loop", *arguments)
        return done

    yield until
    answered.set()
    for thread in threading.enumerate():
        if thread.name.startswith("beside"):
            thread.join(60)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def steps(done: list[str], *names: str) -> list[str]:
    return [name for name in done if name in names]


def nobody_is_late() -> None:
    now = clock.now()
    IntervalRun.objects.create(started_at=now, finished_at=now, engine="worker")
    WatchedChain.objects.create(network="regtest", genesis_hash="0" * 64, asked_at=now)


def test_every_round_is_done_until_it_is_told_to_stop(loop: Loop) -> None:
    done = loop("refund_round", times=2)

    assert steps(done, *METERS)[:2] == ["interval_round", "expiry_round"]
    assert steps(done, *NODE)[:4] == ["deposit_round", "refund_round"] * 2
    assert IntervalRun.objects.exists()


def test_a_node_that_does_not_answer_delays_no_meter(loop: Loop) -> None:
    done = loop("expiry_round", times=3, hangs="deposit_round")

    assert steps(done, *METERS) == ["interval_round", "expiry_round"] * 3
    assert steps(done, *NODE) == ["deposit_round"]


def test_the_late_watcher_keeps_still_while_others_do_their_work(loop: Loop) -> None:
    nobody_is_late()

    done = loop("scan_is_late", "--when-late", times=3)

    assert steps(done, "interval_round", *NODE) == []


def test_the_late_watcher_takes_over_what_nobody_ever_did(loop: Loop) -> None:
    assert "interval_round" in loop("expiry_round", "--when-late")


def test_the_late_watcher_looks_for_payments_where_nobody_does(loop: Loop) -> None:
    done = loop("refund_round", "--when-late")

    assert steps(done, *NODE)[:2] == ["deposit_round", "refund_round"]


def test_the_late_watcher_bills_when_the_last_run_is_too_old(loop: Loop) -> None:
    nobody_is_late()
    clock.advance(6_000)

    assert "interval_round" in loop("expiry_round", "--when-late")


def test_a_run_that_never_finished_counts_as_none(loop: Loop) -> None:
    nobody_is_late()
    IntervalRun.objects.update(finished_at=None)

    assert "interval_round" in loop("expiry_round", "--when-late")


def test_billing_goes_on_without_the_node_and_after_a_failed_round(loop: Loop) -> None:
    vera, now = make_client(), clock.now()
    make_vendor(vera)
    permission = make_active_permission(vera, rate=1 * ZEC, now=now)
    stream(vera, now=now)
    clock.advance(3_600_000)

    done = loop("expiry_round", times=2, fails=OperationalError("the connection was lost"))

    assert steps(done, *METERS)[:4] == ["interval_round", "expiry_round"] * 2
    assert SpendingPermission.objects.get(pk=permission.pk).remaining_zat <= 9 * ZEC


@pytest.mark.parametrize("mistake", [ZeroDivisionError(), KeyError("rate"), RecursionError()])
def test_a_mistake_in_one_part_stops_no_other_and_not_the_loop(loop: Loop, mistake: Exception) -> None:
    done = loop("refund_round", times=3, fails=mistake)

    assert steps(done, *METERS)[:2] == ["interval_round", "expiry_round"]
    assert steps(done, *NODE)[:6] == ["deposit_round", "refund_round"] * 3
    assert IntervalRun.objects.exists()
