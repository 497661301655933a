"""Operators see what viewers have signed, owe and have paid in tokens, and find it by what is known of it."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from billing import engine
from billing.models import Transaction
from billing.models_ethereum import Authorization, Collection
from core import clock
from core.models import User
from paygo.backoffice.texts import tokens
from sessions_app.models import StreamingSession
from tests.backoffice.everything import owing
from tests.factories import ALICE_ETHEREUM, after, make_authorization, make_client, make_vendor, stream

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    made = Client()
    made.force_login(User.objects.create_superuser("otto"))
    return made


def listed(browser: Client, name: str, **asked: str) -> list[dict[str, str]]:
    answer = browser.get(reverse(f"admin:billing_{name}_changelist"), {**asked, "format": "csv"})
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        (0, 6, "0"),
        (1, 6, "0.000001"),
        (1_500_000, 6, "1.5"),
        (20_000_000, 6, "20"),
        (20, 0, "20"),
        (2**256 - 1, 18, "115792089237316195423570985008687907853269984665640564039457.584007913129639935"),
    ],
)
def test_smallest_units_are_told_in_whole_tokens(units: int, decimals: int, text: str) -> None:
    assert tokens(units, decimals) == text


@pytest.mark.unbalanced
def test_a_debt_is_followed_from_the_authorisation_to_the_chain(browser: Client) -> None:
    collection = owing(7, client=make_client(), now=clock.now())
    owing(8, client=make_client("mallory"), now=clock.now())
    authorization, send = collection.authorization, collection.sent

    (signed,) = listed(browser, "authorization", q=str(authorization.public_id))
    by_wallet = listed(browser, "authorization", q=ALICE_ETHEREUM)
    (on_its_way,) = listed(browser, "collection", q=send.hashes[0])
    (sent,) = listed(browser, "chainsend", q=send.hashes[0])

    assert [signed[each] for each in ("charged (tokens)", "owed (tokens)", "limit (tokens)")] == [
        "2",
        "2",
        "10",
    ]
    assert len(by_wallet) == 2
    assert on_its_way["amount (tokens)"] == "1.5"
    assert sent["transaction"] == send.hashes[0]
    page = browser.get(reverse("admin:billing_collection_changelist")).content.decode()
    for model, pk in (("authorization", authorization.pk), ("chainsend", send.pk)):
        assert reverse(f"admin:billing_{model}_change", args=[pk]) in page


def test_a_token_is_no_smallest_unit(browser: Client) -> None:
    vera = make_client()
    make_vendor(vera)
    make_authorization(vera)
    engine.end(stream(vera, wallet=ALICE_ETHEREUM), client_id=vera.pk, now=after(hours=1.5))
    session = StreamingSession.objects.get()

    (row,) = listed(browser, "transaction")
    page = browser.get(
        reverse("admin:sessions_app_streamingsession_change", args=[session.pk])
    ).content.decode()

    assert (row["rate (an hour)"], row["amount"], row["asset"]) == ("1", "1.5", "USDT")
    assert "1.5 USDT" in page
    assert reverse("admin:billing_authorization_change", args=[Authorization.objects.get().pk]) in page
    assert not Collection.objects.exists()
    assert Transaction.objects.count() == 1
