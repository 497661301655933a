"""How the Python client follows a stream: over breaks, from the last event on, until its end."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

import pytest
from paygo_client import Event, NoAnswer, NotFound, PayGo
from paygo_client.sse import Reader
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

PATH = "/api/v1/events/stream"
HELLO = "retry: 1\nid: 40\n\n"


class Streams:
    """Answers one connection after the other; one that is cut promises more than it sends."""

    def __init__(self, *texts: str, cut: bool = False) -> None:
        self._texts = list(texts)
        self._cut = cut
        self.resumed_from: list[str | None] = []

    def __call__(self, request: Request) -> Response:
        self.resumed_from.append(request.headers.get("Last-Event-ID"))
        text = self._texts.pop(0)
        more = {"Content-Length": str(len(text) + 100)} if self._cut else None
        return Response(text, 200, more, content_type="text/event-stream")


@pytest.fixture
def paygo(httpserver: HTTPServer) -> Iterator[PayGo]:
    with PayGo(httpserver.url_for(""), "pg_key", longest_wait_seconds=0.01) as client:
        yield client


def serve(httpserver: HTTPServer, streams: Streams) -> Streams:
    httpserver.expect_request(PATH).respond_with_handler(streams)
    return streams


def event(number: int) -> str:
    return f'id: {number}\nevent: session.ended\ndata: {{"amount": 0.1}}\n\n'


@pytest.mark.parametrize("cut", [False, True])
def test_goes_on_after_the_last_event(paygo: PayGo, httpserver: HTTPServer, cut: bool) -> None:
    served = serve(httpserver, Streams(HELLO + event(41), ": alive\n\n" + event(42), event(43), cut=cut))

    seen = list(islice(paygo.stream_events(), 3))

    assert [each.id for each in seen] == ["41", "42", "43"]
    assert served.resumed_from == [None, "41", "42"]
    assert seen[0] == Event("41", "session.ended", {"amount": Decimal("0.1")})


def test_goes_on_from_where_it_began_when_it_breaks_before_the_first_event(
    paygo: PayGo, httpserver: HTTPServer
) -> None:
    served = serve(httpserver, Streams(HELLO, event(41), cut=True))

    next(paygo.stream_events())

    assert served.resumed_from == [None, "40"]


def test_does_not_count_an_event_of_which_a_part_is_missing(paygo: PayGo, httpserver: HTTPServer) -> None:
    served = serve(httpserver, Streams(event(41) + 'id: 42\ndata: {"am', event(42), cut=True))

    assert [each.id for each in islice(paygo.stream_events(), 2)] == ["41", "42"]
    assert served.resumed_from == [None, "41"]


def test_stops_at_the_end_that_the_service_tells(paygo: PayGo, httpserver: HTTPServer) -> None:
    states = 'event: state\ndata: {"amount": 1}\n\nevent: end\ndata: {}\n\n'
    httpserver.expect_request("/api/v1/sessions/ABC123XYZ789/stream").respond_with_data(
        states, content_type="text/event-stream"
    )

    assert [each.kind for each in paygo.stream_session("ABC123XYZ789")] == ["state", "end"]


def test_says_why_a_stream_is_refused(paygo: PayGo, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json({"code": "not_found", "detail": "no"}, 404)

    with pytest.raises(NotFound):
        next(paygo.stream_events())


def test_waits_for_a_place_and_for_a_service_that_starts_anew(paygo: PayGo, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_json(
        {"code": "streams_full"}, 503, {"Retry-After": "1"}
    )
    httpserver.expect_ordered_request(PATH).respond_with_data("", 502)
    httpserver.expect_ordered_request(PATH).respond_with_data(event(41), content_type="text/event-stream")

    assert next(paygo.stream_events()).id == "41"


def test_takes_no_page_of_a_proxy_for_a_stream(paygo: PayGo, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data("<html>", content_type="text/html")

    with pytest.raises(NoAnswer, match="no stream"):
        next(paygo.stream_events())


def test_gives_up_when_nobody_answers() -> None:
    with (
        PayGo("http://127.0.0.1:9", "pg_key", attempts=2, longest_wait_seconds=0.01) as paygo,
        pytest.raises(NoAnswer),
    ):
        next(paygo.stream_events())


def test_reads_what_the_standard_allows() -> None:
    text = b": heartbeat\n\nid:7\nevent: a\ndata: [1,\ndata: 2]\n\ndata:3\n\ndata"

    found = list(Reader().read(text.splitlines()))

    assert found == [Event("7", "a", [1, 2]), Event("7", "message", 3)]
