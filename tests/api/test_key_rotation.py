"""Keys in the place of others, over the API and by the operator's command."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from core import clock
from paygo.api import keys
from paygo.api.keys import KeyEnded
from paygo.api.models import ApiKey
from tests.api.world import PERMISSIONS, UNKNOWN_ID, Answer, Api, hours_pass, make_api

KEYS, ROTATE = "/api/v1/keys", "/api/v1/keys/rotate"
SHOWN = f"{PERMISSIONS}/{UNKNOWN_ID}"


def rotate(api: Api, **body: int) -> Answer:
    return api.post(ROTATE, body)


def status_of(key: str) -> int:
    return Api(key=key).get(SHOWN).status


def test_answers_a_key_that_can_do_the_same(vera: Api) -> None:
    answer = rotate(vera)

    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body["scopes"] == list(keys.SCOPES)
    assert status_of(answer.body["key"]) == 404


def test_lets_the_old_key_go_on_for_the_overlap_and_no_longer(vera: Api) -> None:
    new = rotate(vera, overlap_seconds=3600).body["key"]

    assert status_of(vera.key) == 404
    hours_pass(1)
    assert status_of(vera.key) == 401
    assert status_of(new) == 404


def test_ends_the_old_key_at_once_where_no_overlap_is_wanted(vera: Api) -> None:
    rotate(vera, overlap_seconds=0)

    assert status_of(vera.key) == 401


def test_revokes_what_a_lost_answer_has_made(vera: Api) -> None:
    lost, answered = rotate(vera).body["key"], rotate(vera).body["key"]

    assert status_of(lost) == 401
    assert status_of(answered) == 404


def test_revokes_no_successor_that_is_in_use(vera: Api) -> None:
    first = rotate(vera).body["key"]
    assert status_of(first) == 404

    rotate(vera)

    assert status_of(first) == 404


def test_prolongs_no_old_key(vera: Api) -> None:
    rotate(vera, overlap_seconds=60)
    answer = rotate(vera, overlap_seconds=3600)

    assert answer.body["old_key_expires_at"] == min(
        each["expires_at"] for each in vera.get(KEYS).body["keys"] if each["is_caller"]
    )
    hours_pass(0.1)
    assert status_of(vera.key) == 401


def test_gives_the_new_key_as_long_a_life_as_the_old_one_had(vera: Api) -> None:
    now = clock.now()
    assert vera.user is not None
    key = keys.create(
        vera.user, name="ninety days", now=now, scopes=("keys:write",), expires_at=now + timedelta(days=90)
    )
    row = ApiKey.objects.get(digest=keys.digest(key))

    later = now + timedelta(days=80)
    once = keys.rotate(row.pk, overlap=timedelta(days=1), now=later)
    twice = keys.rotate(once.row.pk, overlap=timedelta(days=1), now=later)

    assert once.row.expires_at == twice.row.expires_at == later + timedelta(days=90)


@pytest.mark.parametrize("overlap", [-1, 604_801, "60", 1.5, True, None])
def test_refuses_an_overlap_out_of_bounds(vera: Api, overlap: object) -> None:
    answer = vera.post(ROTATE, {"overlap_seconds": overlap})

    assert (answer.status, list(answer.fields)) == (400, ["overlap_seconds"])
    assert ApiKey.objects.count() == 1


def test_is_given_only_when_asked_for() -> None:
    assert "keys:write" not in keys.DEFAULT_SCOPES


def test_lists_a_clients_own_keys_and_never_a_key(vera: Api, mallory: Api) -> None:
    new = rotate(vera).body["key"]

    answer = vera.get(KEYS)

    assert [each["is_caller"] for each in answer.body["keys"]] == [False, True]
    assert answer.body["keys"][1]["last_used_at"] is not None
    assert new not in str(answer.body)
    assert [each["is_caller"] for each in mallory.get(KEYS).body["keys"]] == [True]


def test_rotates_no_key_that_has_ended(vera: Api) -> None:
    row = ApiKey.objects.get()
    keys.revoke([row.pk], now=clock.now())

    with pytest.raises(KeyEnded):
        keys.rotate(row.pk, overlap=timedelta(0), now=clock.now())

    assert ApiKey.objects.count() == 1


class TestTheCommand:
    def test_prints_the_new_key_alone(self, vera: Api) -> None:
        out, err = io.StringIO(), io.StringIO()

        call_command("rotateapikey", ApiKey.objects.get().prefix, stdout=out, stderr=err)

        assert status_of(out.getvalue().strip()) == 404
        assert " ends 20" in err.getvalue()

    def test_refuses_a_prefix_of_no_key(self, db: None) -> None:
        with pytest.raises(CommandError, match="no live key begins"):
            call_command("rotateapikey", "pg_abcdef")

    def test_refuses_an_overlap_of_years(self, vera: Api) -> None:
        with pytest.raises(CommandError, match="overlap"):
            call_command("rotateapikey", ApiKey.objects.get().prefix, overlap_hours=1e9)


def test_keeps_the_scopes_of_a_small_key(db: None) -> None:
    small = make_api("small", scopes=("keys:write",))

    assert rotate(small).body["scopes"] == ["keys:write"]
