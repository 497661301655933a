"""The management commands, as an operator calls them."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from billing import rounds
from billing.models import IntervalRun
from core import clock
from core.models import User
from paygo.api import keys
from paygo.api.models import ApiKey
from sessions_app.models import Vendor
from tests.factories import (
    ZEC,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    see_deposit,
    stream,
)

pytestmark = pytest.mark.django_db

# Nobody listens there.
NOWHERE = "http://127.0.0.1:9"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _no_node(settings: Settings) -> None:
    settings.ZCASH_RPC_URL, settings.PAYGO_SANDBOX = NOWHERE, True


def test_createapikey_prints_the_key_and_nothing_else() -> None:
    printed = run("createapikey", "vera-tv")

    key = keys.find(printed.removesuffix("\n"), now=clock.now())
    assert key is not None
    assert (key.client.username, key.scopes) == ("vera-tv", list(keys.DEFAULT_SCOPES))
    assert not User.objects.get().has_usable_password()


def test_createapikey_makes_another_key_for_a_client_that_exists() -> None:
    first, second = run("createapikey", "vera-tv"), run("createapikey", "vera-tv", "--name", "ci")

    assert first != second
    assert (User.objects.count(), ApiKey.objects.count()) == (1, 2)


def test_createapikey_bounds_scopes_and_days() -> None:
    printed = run("createapikey", "vera-tv", "--scope", "sessions:read", "--days", "2").strip()

    key = keys.find(printed, now=clock.now())
    assert key is not None
    assert key.scopes == ["sessions:read"]
    assert keys.find(printed, now=clock.now() + timedelta(days=2)) is None
    with pytest.raises(CommandError, match="--days"):
        run("createapikey", "vera-tv", "--days", "0")


def test_createvendor_makes_a_vendor_once() -> None:
    make_client("vera-tv")

    printed = [run("createvendor", "vera-tv", "vendor123", "--price", "2.5") for _ in range(2)]

    assert printed == ["vendor123 made\n", "vendor123 exists already\n"]
    assert Vendor.objects.get().price_zat_per_hour == 250_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody", "vendor123"], "there is no client nobody"),
        (["vera-tv", "ven dor"], "letters|valid"),
        (["vera-tv", "v" * 65], "64|valid"),
        (["vera-tv", "vendor123", "--price", "0"], "--price must be greater than 0"),
        (["vera-tv", "vendor123", "--price", "1e3"], "--price must be a plain decimal number"),
    ],
)
def test_createvendor_says_what_it_cannot_take(arguments: list[str], message: str) -> None:
    make_client("vera-tv")

    with pytest.raises(CommandError, match=message):
        run("createvendor", *arguments)

    assert not Vendor.objects.exists()


def test_bill_does_one_pass_of_all_rounds() -> None:
    vera, now = make_client(), clock.now()
    make_vendor(vera)
    running = make_active_permission(vera, wallet="a", rate=1 * ZEC, now=now)
    stream(vera, wallet="a", now=now)
    over = make_active_permission(vera, wallet="b", now=now, expires_at=now + timedelta(hours=1))
    paid = make_permission(vera, wallet="c", now=now)
    see_deposit(paid, amount=10 * ZEC)
    clock.advance(3_600_000)

    printed = run("bill")

    for permission in (running, over, paid):
        permission.refresh_from_db()
    assert 8 * ZEC < running.remaining_zat <= 9 * ZEC
    assert (over.status, paid.status) == ("expired", "active")
    assert "settled 1 permissions" in printed
    assert "the node is away" in printed
    assert IntervalRun.objects.get().permissions == 1


def test_bill_fails_when_somebody_could_not_be_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "interval_round", lambda: IntervalRun(put_aside=[42]))

    with pytest.raises(CommandError, match=r"could not be billed.*42"):
        run("bill")


def test_when_late_is_nothing_without_a_loop() -> None:
    with pytest.raises(CommandError, match="--loop"):
        run("bill", "--when-late")
