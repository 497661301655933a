"""What all calls have in common: request ids, faults, the schema, the pages of problems."""

import json
import logging
import runpy
from io import BytesIO
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import RequestFactory, override_settings

from billing import live
from paygo.api import keys, problems
from paygo.api.urls import urlpatterns
from tests.api.world import END, PERMISSIONS, SESSIONS, UNKNOWN_ID, Api, browser, dynamic_middleware

pytestmark = pytest.mark.usefixtures("node")


def application() -> Any:
    """Return what the web server calls, without its look-up of static files."""
    with override_settings(MIDDLEWARE=dynamic_middleware()):
        return runpy.run_module("paygo.wsgi")["application"]


def test_keeps_the_request_id_of_the_caller(vera: Api) -> None:
    answer = vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}", x_request_id="order_4711-abc")

    assert answer.headers["X-Request-Id"] == answer.body["request_id"] == "order_4711-abc"


@pytest.mark.parametrize(
    "given", ["short", "a" * 65, "with space here", "new\u00e9line", "<script>alert</script>"]
)
def test_makes_a_request_id_where_the_given_one_is_none(vera: Api, given: str) -> None:
    answer = vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}", x_request_id=given)

    assert answer.headers["X-Request-Id"] == answer.body["request_id"] != given
    assert len(answer.body["request_id"]) == 32


def test_logs_a_refusal_at_info_with_its_code_and_request_id(
    vera: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}", x_request_id="order-4711")

    (record,) = [each for each in caplog.records if each.name.startswith("paygo.api")]
    assert record.levelno == logging.INFO
    message: Any = record.msg
    assert (message["code"], message["request_id"]) == ("permission_not_found", "order-4711")


def test_answers_503_while_the_database_is_away(
    vera: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("connection to 10.0.0.5 refused, password=secret")

    monkeypatch.setattr(keys, "find", fail)

    answer = vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}")

    assert (answer.status, answer.code) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "10.0.0.5" not in str(answer.body)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_tells_no_trace_of_a_fault_and_logs_it_once(
    vera: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(live, "of_client", fail)
    monkeypatch.setattr(browser(), "raise_request_exception", False)

    answer = vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}")

    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret" not in str(answer.body)
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content_type", ["a/b; x*=bogus''v", "a/b; charset=hex", "a/b; charset=undefined"])
def test_survives_a_content_type_that_django_cannot_read(content_type: str) -> None:
    answers: list[str] = []
    environ = RequestFactory().get("/api/v1/nothing?a=%31").environ

    application()({**environ, "CONTENT_TYPE": content_type}, lambda status, _: answers.append(status))

    assert answers == ["404 Not Found"]


@pytest.mark.django_db(transaction=True)
def test_reads_no_chunked_body(vera: Api) -> None:
    content = b'{"session_code": "short"}'
    environ = RequestFactory().post(END, content, content_type="application/json").environ
    environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "HTTP_AUTHORIZATION": f"Bearer {vera.key}"}
    environ["wsgi.input"] = BytesIO(content)
    del environ["CONTENT_LENGTH"]

    body = b"".join(application()(environ, lambda *_: None))

    assert json.loads(body)["code"] == "length_required"
    assert environ["wsgi.input"].tell() == 0


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_nobody_reads_yet_holds_no_connection(
    vera: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a pool, where every call takes its connection anew.
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    environ = RequestFactory().get("/api/v1/vendors/vendor123/statement?format=csv").environ

    answer = application()({**environ, "HTTP_AUTHORIZATION": f"Bearer {vera.key}"}, lambda *_: None)

    assert connection.connection is None
    assert b"closing" in b"".join(answer)
    answer.close()


@pytest.mark.parametrize("handler", [problems.not_found, problems.bad_request])
def test_leaves_pages_for_people_to_django(handler: Any) -> None:
    answer = handler(RequestFactory().get("/admin/x"), Exception())

    assert "json" not in answer["content-type"]


def test_answers_json_whatever_the_caller_accepts(vera: Api) -> None:
    answer = vera.get(f"{PERMISSIONS}/{UNKNOWN_ID}?format=xml", accept="text/html")

    assert answer.headers["Content-Type"] == "application/problem+json"


def test_documents_every_call_with_its_answers_and_problems(nobody: Api, db: None) -> None:
    document = nobody.get("/api/schema/").body

    paths = {"/api/" + str(each.pattern).replace("<str:", "{").replace(">", "}") for each in urlpatterns}
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {path for path in paths if "/v1/" in path}
    for calls in document["paths"].values():
        for call in calls.values():
            assert any(status.startswith("2") for status in call["responses"])
            assert call["summary"]
            if "security" in call and {} not in call["security"]:
                assert {"401", "403"} <= call["responses"].keys()


def test_repeats_the_schema_to_the_letter(nobody: Api, db: None) -> None:
    plain = nobody.get("/api/schema/").body

    assert nobody.get("/api/schema/?version=%0d%0ax&lang=zz").body == plain
    assert "x-" not in json.dumps(sorted(plain))


def test_shows_the_calls_on_a_page(nobody: Api, db: None) -> None:
    answer = nobody.get("/api/docs/", accept="text/html")

    assert answer.status == 200
    assert "swagger-ui" in answer.body
    assert "//cdn" not in answer.body


def test_explains_a_problem_at_its_type(nobody: Api, vera: Api) -> None:
    kind = vera.post(SESSIONS, {}).body["type"]

    answer = nobody.get(kind.removeprefix("http://127.0.0.1:8080"))

    assert answer.status == 200
    assert answer.body.startswith("## `invalid` (400)")
    assert nobody.get("/problems/nonsense").status == 404
