"""Who may call: keys, their life, their scopes."""

from datetime import timedelta
from typing import Any

import pytest

from core import clock
from paygo.api import keys
from paygo.api.models import ApiKey
from tests.api.world import (
    ALICE,
    END,
    PERMISSIONS,
    SESSIONS,
    UNKNOWN_ID,
    Api,
    hours_pass,
    make_api,
    permission_body,
    rows,
    session_body,
)
from tests.factories import NOW, after, make_client

pytestmark = pytest.mark.usefixtures("node")

GUARDED = [
    ("permissions:write", "POST", PERMISSIONS),
    ("permissions:read", "GET", f"{PERMISSIONS}/{UNKNOWN_ID}"),
    ("permissions:read", "HEAD", f"{PERMISSIONS}/{UNKNOWN_ID}"),
    ("permissions:write", "POST", f"{PERMISSIONS}/{UNKNOWN_ID}/verify"),
    ("permissions:write", "POST", f"{PERMISSIONS}/{UNKNOWN_ID}/revoke"),
    ("permissions:read", "GET", f"{PERMISSIONS}/wallet/{ALICE}"),
    ("permissions:read", "GET", f"/api/v1/zcash/balance/{ALICE}"),
    ("sessions:write", "POST", SESSIONS),
    ("sessions:write", "POST", END),
    ("sessions:read", "GET", f"{SESSIONS}/ABC123XYZ789"),
    ("sessions:read", "GET", SESSIONS),
]


@pytest.mark.parametrize(("scope", "method", "path"), GUARDED)
def test_needs_the_scope_of_the_call(db: None, scope: str, method: str, path: str) -> None:
    others = tuple(each for each in keys.SCOPES if each != scope)
    before = rows()

    without = make_api("without", scopes=others).call(method, path)
    having = make_api("having", scopes=(scope,)).call(method, path)

    assert without.status == 403
    if method != "HEAD":
        assert without.code == "insufficient_scope"
        assert scope in without.body["detail"]
    assert having.status not in (401, 403)
    assert rows() == before


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer pg_" + "A" * 43,
        "Bearer " + "A" * 100_000,
        "Bearer a b",
        "Bearer \u00e9",
        "Basic dXNlcjpwYXNz",
        "nonsense",
        "Bearer pg_\x7f",
    ],
)
def test_refuses_a_header_that_is_no_key(db: None, header: str) -> None:
    answer = Api().post(SESSIONS, session_body(), authorization=header)

    assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_takes_the_scheme_in_any_case(vera: Api) -> None:
    assert Api().get(f"{PERMISSIONS}/{UNKNOWN_ID}", authorization=f"bearer {vera.key}").status == 404


def test_refuses_a_revoked_key(vera: Api) -> None:
    keys.revoke([ApiKey.objects.get().pk], now=clock.now())

    assert vera.post(PERMISSIONS, permission_body()).code == "invalid_api_key"


def test_refuses_an_expired_key(vera: Api) -> None:
    ApiKey.objects.update(expires_at=clock.now() + timedelta(hours=1))
    assert vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}").status == 404
    hours_pass(1)

    assert vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}").code == "invalid_api_key"


def test_refuses_the_key_of_a_client_that_is_switched_off(vera: Api) -> None:
    assert vera.user is not None
    vera.user.is_active = False
    vera.user.save()

    assert vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}").code == "invalid_api_key"


@pytest.mark.django_db
class TestWhatAProcessRemembers:
    def test_asks_the_database_once_for_many_calls(self, django_assert_num_queries: Any) -> None:
        key = keys.create(make_client(), name="tests", now=NOW)
        keys.find(key, now=NOW)

        with django_assert_num_queries(0):
            assert keys.find(key, now=NOW) is not None

    def test_learns_of_another_processs_revocation_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        key = keys.create(make_client(), name="tests", now=NOW)
        keys.find(key, now=NOW)
        ApiKey.objects.update(revoked_at=NOW)

        at_once = keys.find(key, now=NOW)
        monkeypatch.setattr(keys, "REREAD_SECONDS", 0)

        assert at_once is not None
        assert keys.find(key, now=NOW) is None

    def test_takes_no_key_past_its_last_moment(self) -> None:
        key = keys.create(make_client(), name="tests", now=NOW, expires_at=after(hours=1))

        assert keys.find(key, now=after(hours=1, ms=-1)) is not None
        assert keys.find(key, now=after(hours=1)) is None

    def test_remembers_no_guesses(self) -> None:
        assert keys.find("pg_guess", now=NOW) is None

        assert keys.digest("pg_guess") not in keys._known

    def test_remembers_so_many_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keys, "_MAX_KNOWN", 2)
        keys.forget()
        made = [keys.create(make_client(f"client-{n}"), name="tests", now=NOW) for n in range(5)]

        for key in made:
            assert keys.find(key, now=NOW) is not None

        assert len(keys._known) <= 2
