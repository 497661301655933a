"""The ledger's window tells what each transfer is of, and leads there."""

import csv
import io

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from billing.ledger_models import Transfer
from billing.ledger_rules import MOVES, Kind
from billing.models import Refund, Transaction
from core import clock
from core.models import User
from paygo.backoffice import books
from sessions_app.models import Vendor
from tests.backoffice.cases import payable
from tests.backoffice.everything import live
from tests.factories import make_client, make_vendor
from zcash.models import Deposit, SpendingPermission

pytestmark = pytest.mark.django_db

LIST = reverse("admin:billing_transfer_changelist")


@pytest.fixture
def browser() -> Client:
    made = Client()
    operator = User.objects.create_superuser("otto")
    made.force_login(operator)
    live(0, operator)
    return made


def page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def test_a_transfer_leads_to_its_cause_and_to_whose_accounts_it_is_of(browser: Client) -> None:
    page = browser.get(LIST).content.decode()

    for row in (
        SpendingPermission.objects.get(),
        Deposit.objects.get(status="confirmed"),
        Refund.objects.get(),
        Transaction.objects.get(),
        Vendor.objects.get(),
    ):
        assert f'href="{page_of(row)}"' in page, row
        assert browser.get(page_of(row)).status_code == 200


def test_a_transfer_of_a_payout_leads_to_it(browser: Client) -> None:
    vera = make_client()
    make_vendor(vera)
    payout = payable(vera)

    page = browser.get(LIST, {"kind": "payout"}).content.decode()

    assert (
        f'<a href="{reverse("admin:billing_payout_change", args=[payout.pk])}">payout {payout.pk}</a>' in page
    )


@pytest.mark.unbalanced
def test_the_ledger_is_filtered_by_kind(browser: Client) -> None:
    # Several move between the same accounts.
    for number, (kind, (debit, credit)) in enumerate(MOVES.items()):
        move = {"kind": kind, "debit": debit, "credit": credit, "cause_id": 10**9 + number}
        Transfer.objects.create(**move, amount_units=1, at=clock.now(), booked_at=clock.now())

    for kind in Kind:
        shown = browser.get(LIST, {"kind": kind.value}).context["cl"].result_list

        assert len(shown) > 0, kind
        assert set(shown) == set(Transfer.objects.filter(kind=kind)), kind


def test_what_is_no_kind_filters_nothing(browser: Client) -> None:
    assert len(browser.get(LIST, {"kind": "theft"}).context["cl"].result_list) == Transfer.objects.count()


def test_every_window_that_a_transfer_leads_to_is_there() -> None:
    led_to = {*books.OWNERS.values(), *books.CAUSES.values()}

    assert led_to <= set(admin.site._registry)
    assert set(books.CAUSES) == set(Kind)


def test_the_ledgers_csv_has_accounts_and_numbers_apart(browser: Client) -> None:
    answer = browser.get(LIST, {"format": "csv", "kind": "deposit"})

    (row,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    permission, deposit = SpendingPermission.objects.get(), Deposit.objects.get(status="confirmed")
    assert (row["debit"], row["credit"], row["caused by"]) == ("wallet", "permission", "deposit")
    assert (row["credit of"], row["cause id"]) == (str(permission.pk), str(deposit.pk))
