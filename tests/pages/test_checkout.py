"""The checkout link and page over HTTP: who finds it, what it tells, what it takes."""

import pytest

from paygo.pages.models import Checkout
from tests.api.world import BOB, PERMISSIONS, Api, browser, create, pay, permission_body, rows
from tests.pages.visiting import Visitor
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


def test_a_repeated_creation_answers_the_same_link(vera: Api):
    first, second = (vera.post(PERMISSIONS, permission_body(), idempotency_key="one") for _ in range(2))

    assert second.body == first.body
    assert Checkout.objects.count() == 1


def test_a_creation_that_was_cut_off_before_its_link_gets_one_when_it_is_repeated(vera: Api):
    first = vera.post(PERMISSIONS, permission_body(), idempotency_key="one")
    Checkout.objects.all().delete()

    again = vera.post(PERMISSIONS, permission_body(), idempotency_key="one")

    assert again.status == 201
    assert again.body["permission_id"] == first.body["permission_id"]
    assert Checkout.objects.get().token in again.body["checkout_url"]


def test_links_cannot_be_guessed_and_name_no_permission(vera: Api, visitor: Visitor):
    first, second = create(vera), create(vera)

    tokens = [each["checkout_url"].rpartition("/")[2] for each in (first, second)]
    guesses = [
        first["permission_id"],
        tokens[0][:-1],
        f"{tokens[0]}x",
        tokens[0].swapcase(),
        "%00",
        "a" * 5000,
    ]

    assert all(len(token) == 32 for token in tokens)
    assert tokens[0] != tokens[1]
    for guess in guesses:
        for path in ("", "/state"):
            assert visitor.get(f"/checkout/{guess}{path}").status_code == 404, guess
    assert first["permission_id"] not in visitor.get(first["checkout_url"]).content.decode()


def test_is_kept_by_no_cache_and_runs_nothing_of_others(vera: Api, visitor: Visitor):
    created = create(vera)

    for path in ("", "/state"):
        headers = visitor.get(created["checkout_url"] + path).headers
        assert headers["Cache-Control"] == "no-store"
        assert "noindex" in headers["X-Robots-Tag"]
        policy = headers["Content-Security-Policy"]
        rules = {each.strip() for each in policy.split(";")}
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= rules
        assert "unsafe" not in policy


def test_a_form_from_elsewhere_changes_nothing(vera: Api, visitor: Visitor):
    created = create(vera)
    visitor.get(created["checkout_url"])

    answer = visitor.post(f"{created['checkout_url']}/refund-address", "forged", refund_address=BOB)

    assert answer.status_code == 403
    shown = vera.get(f"{PERMISSIONS}/{created['permission_id']}").body
    assert shown["refund_address"] != BOB


@pytest.mark.parametrize("address", ["", "x" * 5000, "0x" + "1" * 40, "zs1\x00", "<script>alert(1)</script>"])
def test_refuses_what_is_no_address_and_shows_it_as_text(vera: Api, visitor: Visitor, address: str):
    created = create(vera)
    visitor.get(created["checkout_url"])
    before = rows()

    answer = visitor.post(f"{created['checkout_url']}/refund-address", refund_address=address)

    assert answer.status_code == 400
    assert "<script>alert" not in answer.content.decode()
    assert rows() == before


def test_takes_no_address_of_the_service_itself(vera: Api, visitor: Visitor):
    created = create(vera)
    visitor.get(created["checkout_url"])

    answer = visitor.post(
        f"{created['checkout_url']}/refund-address", refund_address=created["payment_address"]
    )

    assert answer.status_code == 400


def test_takes_no_address_once_money_was_seen_or_nothing_is_waited_for(
    vera: Api, node: RpcClient, visitor: Visitor
):
    paid, revoked = create(vera), create(vera)
    pay(node, paid, "1", blocks=0)
    vera.post(f"{PERMISSIONS}/{paid['permission_id']}/verify")
    vera.post(f"{PERMISSIONS}/{revoked['permission_id']}/revoke")

    for created in (paid, revoked):
        visitor.get(create(vera)["checkout_url"])
        answer = visitor.post(f"{created['checkout_url']}/refund-address", refund_address=BOB)
        shown = vera.get(f"{PERMISSIONS}/{created['permission_id']}").body

        assert answer.status_code == 409
        assert shown["refund_address"] != BOB


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example",
        "/watch",
        "https://",
        "https://user:secret@example.org/",
        "https://example.org:99999/",
        "https://example.org/\nx",
        "https://example.org/" + "x" * 2000,
        "https://ex\u00e4mple.org/",
        "https://[::1/",
        7,
        None,
    ],
)
def test_refuses_a_return_url_that_leads_nowhere(vera: Api, url: object):
    answer = vera.post(PERMISSIONS, permission_body(return_url=url))

    assert answer.status == 400
    assert answer.fields.keys() == {"return_url"}


def test_wants_a_return_url_with_https_on_the_main_network(vera: Api, settings):
    from paygo.api.fields import ValidationError, WebAddressField

    settings.ZCASH_NETWORK = "main"

    assert WebAddressField().run_validation("https://example.org/a?b=c#d") == "https://example.org/a?b=c#d"
    with pytest.raises(ValidationError, match="https"):
        WebAddressField().run_validation("http://example.org/")


def test_the_database_being_away_is_a_page_that_says_so(vera: Api, visitor: Visitor, monkeypatch):
    from django.db import OperationalError

    from paygo.pages import checkout_state

    created = create(vera)

    def away(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("connection refused at 10.0.0.1")

    monkeypatch.setattr(checkout_state.live, "read", away)
    answer = visitor.get(created["checkout_url"])

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "10.0.0.1" not in answer.content.decode()


def test_calls_of_the_api_carry_no_policy_of_pages(vera: Api):
    assert "Content-Security-Policy" not in browser().get("/api/v1/permissions").headers


def test_says_who_asks_for_the_money(vera: Api, visitor: Visitor):
    created = create(vera)
    by_its_login = visitor.get(created["checkout_url"]).content.decode()
    vera.user.first_name, vera.user.last_name = "Vera", "Television"
    vera.user.save()

    by_its_name = visitor.get(created["checkout_url"]).content.decode()

    assert "You pay vera-tv." in by_its_login
    assert "You pay Vera Television." in by_its_name


def test_leads_back_to_the_service_when_it_is_over(vera: Api, visitor: Visitor):
    created = create(vera, return_url="https://stream.example/watch")
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/revoke")

    page = visitor.get(created["checkout_url"]).content.decode()

    assert "Do not pay to its address any more." in page
    assert 'href="https://stream.example/watch"' in page
