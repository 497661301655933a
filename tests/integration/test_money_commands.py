"""Upkeep by hand: what is due, what was done, as one document, with an exit code."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from billing.operator_models import OperatorAction
from core import clock
from core.models import Event, ReceiptRow, User, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from sessions_app.models import Vendor
from tests.factories import ALICE, ZEC, make_active_permission, make_client, make_permission, make_vendor
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    return make_client()


def told(command: str, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command(command, *options, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


class TestExpire:
    @pytest.fixture(autouse=True)
    def due(self, vera: User) -> None:
        """One permission past its last day, one that was not paid in time, one that lives."""
        long_ago = clock.now() - timedelta(days=40)
        make_active_permission(vera, now=long_ago, expires_at=long_ago + timedelta(days=30))
        make_permission(vera, wallet="bob", now=long_ago, expires_at=long_ago + timedelta(days=30))
        make_active_permission(vera, wallet="carol", now=clock.now())

    def test_counts_what_is_due_and_changes_nothing_in_a_dry_run(self) -> None:
        found = told("expire", "--dry-run")

        assert found["due"] == found["left"] == {"permissions": 1, "unpaid": 1, "pauses": 0}
        assert statuses() == ["active", "active", "pending"]

    def test_ends_what_is_due(self) -> None:
        found = told("expire")

        assert found["left"] == {"permissions": 0, "unpaid": 0, "pauses": 0}
        assert statuses() == ["active", "expired", "lapsed"]
        assert told("expire")["due"] == found["left"]

    def test_says_it_in_a_sentence(self) -> None:
        out = StringIO()

        call_command("expire", stdout=out)

        assert (
            out.getvalue() == "1 permissions past their last day, 1 not paid in time, 0 pauses over; 0 left\n"
        )


class TestRetention:
    def test_forgets_calls_that_are_old(self, vera: User) -> None:
        now = clock.now()
        for key, days, result in (("old", 8, {}), ("fresh", 6, {})):
            ReceiptRow.objects.create(
                client=vera,
                endpoint="POST /x",
                key=key,
                body_digest=b"",
                created_at=now - timedelta(days=days),
                lease_until=now,
                result=result,
            )

        assert told("retention", "--dry-run")["receipts"] == 1
        assert ReceiptRow.objects.count() == 2
        assert told("retention")["receipts"] == 1
        assert sorted(ReceiptRow.objects.values_list("key", flat=True)) == ["fresh"]

    def test_forgets_requests_to_webhooks_that_are_old_and_keeps_their_delivery(
        self, vera: User, settings: Settings
    ) -> None:
        settings.WEBHOOK_LOG_RETENTION_DAYS = 10
        now = clock.now()
        event = Event.objects.create(
            client=vera, kind="session.started", subject=uuid4(), payload={}, created_at=now
        )
        endpoint = WebhookEndpoint.objects.create(
            client=vera, url="https://vera.example", secret="s", created_at=now
        )
        delivery = WebhookDelivery.objects.create(
            endpoint=endpoint, event=event, status="failed", attempts=2, created_at=now, finished_at=now
        )
        for number, days in ((1, 11), (2, 9)):
            WebhookAttempt.objects.create(
                delivery=delivery,
                number=number,
                started_at=now - timedelta(days=days),
                duration_ms=1,
                url=endpoint.url,
                request_headers={},
                response_status=500,
            )

        assert told("retention", "--dry-run")["webhook_attempts"] == 1
        assert WebhookAttempt.objects.count() == 2
        assert told("retention")["webhook_attempts"] == 1
        assert WebhookAttempt.objects.get().number == 2
        assert WebhookDelivery.objects.count() == 1

    def test_forgets_who_was_told_of_permissions_that_ended_long_ago(
        self, vera: User, settings: Settings
    ) -> None:
        settings.NOTIFY_EMAIL_RETENTION_DAYS = 10
        now = clock.now()
        for days in (None, 9, 11):
            ended = {"status": "revoked", "closed_at": now - timedelta(days=days)} if days else {}
            made = make_permission(vera)
            SpendingPermission.objects.filter(pk=made.pk).update(notify_email="alice@example.com", **ended)

        assert told("retention", "--dry-run")["mail_addresses"] == 1
        assert SpendingPermission.objects.filter(notify_email=None).count() == 0
        assert told("retention")["mail_addresses"] == 1
        (forgotten,) = SpendingPermission.objects.filter(notify_email=None)
        assert forgotten.closed_at == now - timedelta(days=11)


class TestSetVendorPayouts:
    @pytest.fixture(autouse=True)
    def vendor(self, vera: User) -> Vendor:
        return make_vendor(vera)

    def test_sets_what_is_given_and_shows_all_of_it(self) -> None:
        found = told(
            "setvendorpayouts", "vera-tv", "vendor123", "--fee-bps", "250", "--address", ALICE,
            "--schedule", "daily", "--minimum", "1.5",
        )  # fmt: skip

        vendor = Vendor.objects.get()
        assert vendor.payout_not_before is not None
        assert found == {
            "vendor_id": "vendor123",
            "fee_bps": 250,
            "payout_address": ALICE,
            "payout_not_before": vendor.payout_not_before.isoformat(),
            "payout_schedule": "daily",
            "payout_minimum": "1.5",
        }
        assert told("setvendorpayouts", "vera-tv", "vendor123") == found
        assert (vendor.fee_bps, vendor.payout_minimum_zat) == (250, 3 * ZEC // 2)
        # Showing them is no change.
        said = OperatorAction.objects.get()
        assert (said.verb, said.operator, said.reason) == ("set_terms", None, "manage.py setvendorpayouts")
        assert said.details["by"].startswith("shell:")
        assert (said.details["vendor"], said.details["payout_address"]) == (vendor.pk, ALICE)

    def test_changes_all_or_nothing(self) -> None:
        with pytest.raises(CommandError, match="fee_bps: "):
            told("setvendorpayouts", "vera-tv", "vendor123", "--schedule", "daily", "--fee-bps", "10001")

        assert Vendor.objects.get().payout_schedule == "weekly"
        assert not OperatorAction.objects.exists()

    def test_names_the_operator_whose_word_it_is(self) -> None:
        olga = User.objects.create_user("olga", is_staff=True)

        told(
            "setvendorpayouts", "vera-tv", "vendor123", "--fee-bps", "1", "--operator", "olga",
            "--reason", "as agreed",
        )  # fmt: skip

        said = OperatorAction.objects.get()
        assert (said.operator, said.reason) == (olga, "as agreed")

    def test_changes_nothing_in_a_dry_run(self) -> None:
        told("setvendorpayouts", "vera-tv", "vendor123", "--fee-bps", "250", "--dry-run")

        assert Vendor.objects.get().fee_bps == 0
        assert not OperatorAction.objects.exists()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--fee-bps", "10001"], "fee_bps: "),
            (["--fee-bps", "-1"], "fee_bps: "),
            (["--address", "nonsense"], "address: "),
            (["--minimum", "0"], "--minimum must be greater than 0"),
        ],
    )
    def test_refuses_what_cannot_be(self, options: list[str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            call_command("setvendorpayouts", "vera-tv", "vendor123", *options)

    def test_knows_no_vendor_of_somebody_else(self) -> None:
        with pytest.raises(CommandError, match="no user mallory"):
            call_command("setvendorpayouts", "mallory", "vendor123")


def test_the_check_of_the_audit_log_is_one_document() -> None:
    assert told("verify_audit_log")["right"] is True


def statuses() -> list[str]:
    return sorted(SpendingPermission.objects.values_list("status", flat=True))
