"""Nobody guesses a password: locked out by name and address, and slowed down by address."""

import io
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core.cache import caches
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from core import clock
from core.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _operator(settings: Settings) -> None:
    caches["quick"].clear()
    settings.LOGIN_TRIES_PER_MINUTE = 1000
    User.objects.create_superuser("otto", password=PASSWORD)


def login(password: str, *, name: str = "otto", address: str = "192.0.2.1", **headers: str) -> int:
    answer = Client().post(
        reverse("admin:login"),
        {"username": name, "password": password},
        REMOTE_ADDR=address,
        headers=headers,
    )
    return answer.status_code


def test_the_right_password_lets_in() -> None:
    assert login(PASSWORD) == 302


def test_five_wrong_ones_lock_out_even_the_right_one() -> None:
    assert [login("wrong") for _ in range(5)] == [200, 200, 200, 200, 429]

    assert login(PASSWORD) == 429


def test_the_owner_still_gets_in_from_elsewhere() -> None:
    for _ in range(5):
        login("wrong")

    assert login(PASSWORD, address="192.0.2.2") == 302


def test_guesses_by_many_addresses_are_bounded_and_keep_no_operator_from_his_work(settings: Settings) -> None:
    settings.LOGIN_NAME_FAILURE_LIMIT = 12
    assert login(PASSWORD, address="192.0.2.2") == 302

    answers = [login("wrong", address=f"198.51.100.{number // 4}") for number in range(40)]

    assert answers == [200] * 11 + [429] * 29
    # Not even the right one is told from a wrong one by a stranger.
    assert login(PASSWORD, address="203.0.113.1") == 429
    assert login(PASSWORD, address="192.0.2.2") == 302
    # Other names are none of it.
    User.objects.create_superuser("olga", password=PASSWORD)
    assert login(PASSWORD, name="olga", address="203.0.113.1") == 302


def test_a_siege_is_over_when_its_failures_are_old_or_an_administrator_says_so(settings: Settings) -> None:
    settings.LOGIN_NAME_FAILURE_LIMIT = 2
    for number in range(3):
        login("wrong", address=f"198.51.100.{number}")
    assert login(PASSWORD) == 429

    AccessAttempt.objects.update(attempt_time=clock.now() - timedelta(minutes=16))
    assert login(PASSWORD) == 302

    for number in range(3):
        login("wrong", address=f"198.51.100.{number}")
    assert login(PASSWORD, address="203.0.113.1") == 429
    call_command("axes_reset_username", "otto", stdout=io.StringIO())
    assert login(PASSWORD, address="203.0.113.1") == 302


def test_a_forged_header_is_no_other_address() -> None:
    for number in range(5):
        login("wrong", **{"x-forwarded-for": f"198.51.100.{number}"})

    assert login(PASSWORD) == 429


def test_behind_a_proxy_each_operator_has_an_address_of_his_own(settings: Settings) -> None:
    settings.TRUSTED_PROXIES, settings.LOGIN_TRIES_PER_MINUTE = ["192.0.2.0/24"], 6
    for number in range(5):
        # What the caller writes himself comes before what the proxy adds.
        login("wrong", **{"x-forwarded-for": f"203.0.113.{number}, 198.51.100.1"})

    assert login(PASSWORD, **{"x-forwarded-for": "198.51.100.1"}) == 429
    assert login(PASSWORD, **{"x-forwarded-for": "198.51.100.2"}) == 302


def test_a_customers_whole_ipv6_network_counts_as_one() -> None:
    for number in range(5):
        login("wrong", address=f"2001:db8::{number + 1}")

    assert login(PASSWORD, address="2001:db8::77") == 429
    assert login(PASSWORD, address="2001:db8:0:1::1") == 302


def test_a_local_socket_has_no_address_and_is_counted_all_the_same() -> None:
    assert [login("wrong", address="") for _ in range(5)][-1] == 429


def test_a_success_forgets_the_failures() -> None:
    for _ in range(4):
        login("wrong")
    login(PASSWORD)

    assert [login("wrong") for _ in range(4)] == [200] * 4


def test_an_address_tries_only_so_many_names_in_a_minute(settings: Settings) -> None:
    settings.LOGIN_TRIES_PER_MINUTE = 3
    caches["quick"].clear()

    assert [login("wrong", name=f"name-{n}") for n in range(4)] == [200, 200, 200, 429]
    assert login("wrong", address="192.0.2.3") == 200


def test_says_when_to_come_back(settings: Settings) -> None:
    for _ in range(5):
        login("wrong")

    answer = Client().post(
        reverse("admin:login"), {"username": "otto", "password": "wrong"}, REMOTE_ADDR="192.0.2.1"
    )

    assert answer.headers["Retry-After"] == "900"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert b"Too many tries" in answer.content


def test_without_a_cache_the_lock_out_still_holds(settings: Settings) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "quick": {**settings.CACHES["quick"], "LOCATION": "redis://127.0.0.1:1/0"},
    }

    assert [login("wrong") for _ in range(5)][-1] == 429
