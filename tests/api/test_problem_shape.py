"""Whoever refuses a call, a view, Django or the edge before it: the answer has the same shape."""

import json
import runpy
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import RequestFactory

from paygo.api import edge, keys
from paygo.api.problem_pages import entries
from paygo.places import Places
from tests.api.world import END, SESSIONS, Answer, Api

MANY = "&".join(f"a{number}=1" for number in range(2_000))

REFUSED: dict[str, tuple[Callable[[Api], Answer], int, str, str]] = {
    "a path that nothing is at": (lambda api: api.get("/api/v1/x"), 404, "not_found", "/api/v1/x"),
    "a path beside the versions": (lambda api: api.get("/api"), 404, "not_found", "/api"),
    "another host": (lambda api: api.get(SESSIONS, host="evil.example"), 400, "malformed_request", SESSIONS),
    "two hosts": (lambda api: api.get(SESSIONS, host="testserver,b"), 400, "malformed_request", SESSIONS),
    "too many parameters": (lambda api: api.get(f"{SESSIONS}?{MANY}"), 400, "malformed_request", SESSIONS),
    "too long a body": (lambda api: api.call("POST", END, "x" * 70_000), 413, "body_too_large", END),
    "a body that is not read": (lambda api: api.call("POST", END, "x" * 2**21), 413, "body_too_large", END),
    "another method": (lambda api: api.call("PUT", SESSIONS), 405, "method_not_allowed", SESSIONS),
    "a method nobody knows": (lambda api: api.call("FOO", SESSIONS), 405, "method_not_allowed", SESSIONS),
    "a post to the schema": (lambda api: api.post("/api/schema/"), 405, "method_not_allowed", "/api/schema/"),
    "a post to the docs": (lambda api: api.post("/api/docs/"), 405, "method_not_allowed", "/api/docs/"),
    "a post to a problem": (
        lambda api: api.post("/problems/invalid"), 405, "method_not_allowed", "/problems/invalid"
    ),
    "a problem that is none": (lambda api: api.get("/problems/x"), 404, "not_found", "/problems/x"),
    "no key": (lambda _: Api().get(SESSIONS), 401, "authentication_required", SESSIONS),
    "no body in JSON": (
        lambda api: api.call("POST", END, "x", content_type="text/plain"), 415, "unsupported_media_type", END
    ),
}  # fmt: skip


def check(answer: Answer, *, status: int, code: str, instance: str) -> None:
    title, detail = answer.body.pop("title"), answer.body.pop("detail")
    assert title
    assert detail
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body == {
        "type": f"{django_settings.PAYGO_URL}/problems/{code}",
        "status": status,
        "instance": instance,
        "code": code,
        "request_id": answer.headers["X-Request-Id"],
    }
    assert answer.status == status
    assert code in entries()


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_a_problem_as_every_other(vera: Api, name: str) -> None:
    call, status, code, instance = REFUSED[name]

    check(call(vera), status=status, code=code, instance=instance)


@pytest.mark.django_db(transaction=True)
def test_so_it_is_without_a_database(vera: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    with monkeypatch.context() as away:
        # Nobody listens there.
        away.setitem(connection.settings_dict, "PORT", "1")
        keys.forget()
        answer = vera.get(SESSIONS)

    check(answer, status=503, code="database_unavailable", instance=SESSIONS)
    assert vera.get(SESSIONS).status == 200


def test_so_it_is_where_the_edge_takes_no_body(monkeypatch: pytest.MonkeyPatch) -> None:
    application = runpy.run_module("paygo.wsgi")["application"]
    monkeypatch.setattr(edge, "bodies", Places(0, each=1))
    told: list[Any] = []

    environ = RequestFactory().post(END, {}, content_type="application/json").environ
    content = b"".join(application(environ, lambda status, headers: told.extend((status, dict(headers)))))

    answer = Answer(int(told[0].split()[0]), json.loads(content), told[1])
    check(answer, status=503, code="busy", instance=END)
