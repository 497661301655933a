"""How the Python client repeats calls, reads answers and says what went wrong."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from paygo_client import ApiError, NoAnswer, NotFound, PayGo, PaymentRequired, RateLimited
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

STARTED = {"session_code": "ABC123XYZ789", "session_id": "x", "rate_per_hour": 2.5, "max_amount": None}


class Script:
    """Answers what it was told, one after the other, and remembers what was asked."""

    def __init__(self, *answers: tuple[int, Any, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        request.get_data()
        self.asked.append(request)
        status, body, headers = self.answers.pop(0)
        return Response(json.dumps(body), status, headers, content_type="application/json")


@pytest.fixture
def paygo(httpserver: HTTPServer) -> Iterator[PayGo]:
    with PayGo(httpserver.url_for(""), "pg_key", longest_wait_seconds=0.01) as client:
        yield client


def serve(httpserver: HTTPServer, *answers: tuple[int, Any, dict[str, str]]) -> Script:
    script = Script(*answers)
    httpserver.expect_request("/api/v1/sessions").respond_with_handler(script)
    return script


def start(paygo: PayGo, **more: Any) -> Any:
    return paygo.start_session(user_wallet_address="tm1", vendor_id="tv", **more)


def refusal(status: int, code: str, **more: Any) -> tuple[int, Any, dict[str, str]]:
    return status, {"code": code, "detail": "no", "request_id": "r1", **more}, {}


def test_sends_the_key_and_what_was_given_and_nothing_else(paygo: PayGo, httpserver: HTTPServer) -> None:
    script = serve(httpserver, (201, STARTED, {}))

    start(paygo, max_amount=Decimal("0.00000001"))

    (asked,) = script.asked
    assert asked.headers["Authorization"] == "Bearer pg_key"
    assert asked.json == {"user_wallet_address": "tm1", "vendor_id": "tv", "max_amount": 1e-8}


def test_follows_no_redirect(paygo: PayGo, httpserver: HTTPServer) -> None:
    """A POST would go on as a GET, and the key to whoever it names."""
    script = serve(httpserver, (301, {}, {"Location": httpserver.url_for("/api/v1/sessions")}))

    with pytest.raises(ApiError) as refused:
        start(paygo)

    assert refused.value.status == 301
    assert len(script.asked) == 1


def test_sends_its_key_whatever_a_netrc_file_says(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    script = serve(httpserver, (201, STARTED, {}))

    with PayGo(httpserver.url_for(""), "pg_key") as client:
        start(client)

    assert script.asked[0].headers["Authorization"] == "Bearer pg_key"


def test_reads_amounts_exactly(paygo: PayGo, httpserver: HTTPServer) -> None:
    serve(httpserver, (201, {**STARTED, "rate_per_hour": 0.1}, {}))

    assert start(paygo)["rate_per_hour"] == Decimal("0.1")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_repeats_with_the_same_idempotency_key(paygo: PayGo, httpserver: HTTPServer, status: int) -> None:
    script = serve(httpserver, refusal(status, "busy"), refusal(status, "busy"), (201, STARTED, {}))

    assert start(paygo)["session_code"] == "ABC123XYZ789"
    assert len({asked.headers["Idempotency-Key"] for asked in script.asked}) == 1
    assert len(script.asked) == 3


def test_repeats_while_the_first_call_is_under_way(paygo: PayGo, httpserver: HTTPServer) -> None:
    serve(httpserver, refusal(409, "idempotency_key_in_flight"), (201, STARTED, {}))

    assert start(paygo)["session_id"] == "x"


def test_gives_each_call_a_key_of_its_own_unless_told(paygo: PayGo, httpserver: HTTPServer) -> None:
    script = serve(httpserver, *[(201, STARTED, {})] * 3)

    start(paygo), start(paygo), start(paygo, idempotency_key="mine")

    keys = [asked.headers["Idempotency-Key"] for asked in script.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (402, "permission_required", PaymentRequired),
        (404, "vendor_not_found", NotFound),
        (400, "invalid", ApiError),
    ],
)
def test_repeats_no_refusal(
    paygo: PayGo, httpserver: HTTPServer, status: int, code: str, kind: type[ApiError]
) -> None:
    serve(httpserver, refusal(status, code, errors=[{"field": "vendor_id", "code": "required"}]))

    with pytest.raises(kind) as caught:
        start(paygo)

    assert (caught.value.code, caught.value.request_id) == (code, "r1")
    assert caught.value.fields == {"vendor_id": "required"}


def test_gives_up_in_the_end(paygo: PayGo, httpserver: HTTPServer) -> None:
    script = serve(httpserver, *[refusal(429, "rate_limited")] * 4)

    with pytest.raises(RateLimited):
        start(paygo)
    assert len(script.asked) == 4


def test_says_that_nobody_answers() -> None:
    paygo = PayGo("http://127.0.0.1:9", "pg_key", attempts=2, longest_wait_seconds=0.01)

    with pytest.raises(NoAnswer):
        start(paygo)
    paygo.close()


def test_reads_a_refusal_that_is_no_problem_document(paygo: PayGo, httpserver: HTTPServer) -> None:
    serve(httpserver, (500, ["a proxy's own words"], {}))

    with pytest.raises(ApiError) as caught:
        start(paygo)
    assert caught.value.code == "http_500"


def test_puts_any_text_into_one_part_of_a_path(paygo: PayGo, httpserver: HTTPServer) -> None:
    with pytest.raises(ApiError):
        paygo.show_session("../health?x=1")

    ((asked, _),) = httpserver.log
    assert asked.environ["REQUEST_URI"] == "/api/v1/sessions/..%2Fhealth%3Fx%3D1"


def test_refuses_what_is_no_address_or_no_key() -> None:
    with pytest.raises(ValueError, match="no address of a service"):
        PayGo("127.0.0.1:8080", "pg_key")
    with pytest.raises(ValueError, match="an API key is"):
        PayGo("http://127.0.0.1:8080", "pg_key\n")


def test_says_that_nobody_answers_in_words_that_help() -> None:
    paygo = PayGo("http://127.0.0.1:9", "pg_key", attempts=1)

    with pytest.raises(NoAnswer, match=r"nobody answers at http://127\.0\.0\.1:9: .*Connection refused"):
        start(paygo)
    paygo.close()
