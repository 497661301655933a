"""Rate limits of pages: by link and by address, told on a page, and never in the way of the API."""

from typing import Any

import pytest

from paygo import ratelimit
from tests.api.world import ALICE, BOB, Api, create
from tests.pages.visiting import Visitor

pytestmark = pytest.mark.usefixtures("node")


@pytest.fixture(autouse=True)
def _fresh_buckets() -> None:
    ratelimit.get_redis_connection("quick").flushdb()
    ratelimit.forget()


def test_who_asks_too_often_is_told_how_long_to_wait(vera: Api, settings: Any):
    settings.RATE_LIMIT_PAGES = "3/h"
    url, visitor = create(vera)["checkout_url"], Visitor()

    answers = [visitor.get(url) for _ in range(4)]

    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "Too many" in answers[-1].content.decode()
    assert vera.get("/api/v1/sessions").status == 200


def test_viewers_behind_one_address_do_not_share_the_limit_of_a_link(vera: Api, settings: Any):
    settings.RATE_LIMIT_LINKS = "2/h"
    first, second = (create(vera, user_wallet_address=each)["checkout_url"] for each in (ALICE, BOB))
    visitor = Visitor()

    hurried = [visitor.get(first).status_code for _ in range(3)]

    assert hurried == [200, 200, 429]
    assert visitor.get(second).status_code == 200


def test_guesses_of_links_count(settings: Any, db: None):
    settings.RATE_LIMIT_GUESSES = "2/h"
    visitor = Visitor()

    found = [visitor.get(f"/checkout/{each * 32}").status_code for each in "abc"]

    assert found == [404, 404, 429]


def test_nobody_begins_demos_without_end(vera: Api, settings: Any):
    settings.PAYGO_DEMO_CLIENT = "vera-tv"
    settings.RATE_LIMIT_DEMOS = "2/h"
    visitor = Visitor()
    visitor.get("/demo/")

    begun = [visitor.post("/demo/begin").status_code for _ in range(3)]

    assert begun == [302, 302, 429]
