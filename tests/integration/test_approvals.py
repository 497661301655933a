"""Large refunds and payouts wait for two operators who are two people."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from pytest_django.fixtures import Settings

from billing import account_changes, approvals, funding, operators, refunds
from billing.models import Refund
from billing.operators import Word
from core import db
from core.errors import Conflict
from core.models import User
from tests.factories import ALICE, MALLORY, NOW, ZEC, after, make_active_permission, make_client
from zcash.addresses import Network, encode_sapling
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    return make_client()


def word_of(name: str) -> Word:
    """Return the word of somebody of the role finance, who is made if there is none."""
    user = User.objects.filter(username=name).first() or User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="finance"))
    return operators.word(operator_id=user.pk, name=name, reason="as agreed")


def refund_to(vera: User, address: str = ALICE, *, zec: int = 10, hours: float = 1) -> Refund:
    """Return the refund of a revoked permission, queued so many hours after the start."""
    permission = make_active_permission(vera, wallet=f"viewer {hours}", requested=zec * ZEC)
    found = SpendingPermission.objects.filter(pk=permission.pk)
    paid_to = encode_sapling(f"paid {hours}".encode().ljust(43, b"\1"), network=Network.REGTEST)
    found.update(refund_address=address, payment_address=paid_to)
    now = after(hours=hours)
    funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=now, actor="tests")
    refunds.queue_due(now=now)
    return Refund.objects.get(permission=permission)


def waiting() -> list[Refund]:
    return list(approvals.waiting(Refund.objects.order_by("id")))


def changed(account: Word, *, by: Word, days_ago: float = 1) -> None:
    """Let one operator have changed another's account."""
    with db.operation():
        account_changes.note(
            [User.objects.get(pk=account.operator_id)],
            by=User.objects.get(pk=by.operator_id),
            what="made it",
            now=NOW - timedelta(days=days_ago),
        )


def test_a_large_refund_waits_until_two_have_agreed(vera: User, settings: Settings) -> None:
    settings.REFUND_APPROVAL_ABOVE = "9.99999999"
    refund = refund_to(vera)
    assert waiting() == [refund]
    assert list(approvals.sendable(Refund.objects.all())) == []

    assert approvals.approve(refund, address=refund.address, word=word_of("otto"), now=NOW) == 1
    with pytest.raises(Conflict, match="another operator"):
        approvals.approve(refund, address=refund.address, word=word_of("otto"), now=NOW)
    assert waiting() == [refund]
    assert approvals.approve(refund, address=refund.address, word=word_of("olga"), now=NOW) == 2

    assert waiting() == []
    assert list(approvals.sendable(Refund.objects.all())) == [refund]


def test_a_refund_up_to_the_limit_needs_nobody(vera: User, settings: Settings) -> None:
    settings.REFUND_APPROVAL_ABOVE = "10"
    refund = refund_to(vera)

    assert list(approvals.sendable(Refund.objects.all())) == [refund]


def test_many_small_refunds_to_one_address_within_a_day_wait_like_a_large_one(
    vera: User, settings: Settings
) -> None:
    settings.REFUND_APPROVAL_ABOVE = "15"
    first = refund_to(vera)
    second = refund_to(vera, hours=2)
    elsewhere = refund_to(vera, MALLORY, hours=3)
    third = refund_to(vera, hours=24.5)
    next_day = refund_to(vera, hours=49)

    assert waiting() == [second, third]
    assert list(approvals.sendable(Refund.objects.order_by("id"))) == [first, elsewhere, next_day]


def test_what_two_have_agreed_to_counts_no_more_against_the_next(vera: User, settings: Settings) -> None:
    settings.REFUND_APPROVAL_ABOVE = "15"
    large = refund_to(vera, zec=20)
    small = refund_to(vera, hours=2)
    assert waiting() == [large, small]

    for name in ("otto", "olga"):
        approvals.approve(large, address=large.address, word=word_of(name), now=NOW)

    assert waiting() == []


def test_an_approval_is_for_one_address(vera: User, settings: Settings) -> None:
    settings.REFUND_APPROVAL_ABOVE = "1"
    refund = refund_to(vera)
    for name in ("otto", "olga"):
        approvals.approve(refund, address=refund.address, word=word_of(name), now=NOW)

    Refund.objects.update(address=MALLORY)

    assert waiting() == [refund]
    Refund.objects.update(address=refund.address)


@pytest.mark.parametrize(
    "lost", [{"is_active": False}, {"is_staff": False}, {"groups": []}], ids=lambda lost: next(iter(lost))
)
def test_an_approval_counts_only_while_its_operator_may_give_one(
    vera: User, settings: Settings, lost: dict[str, object]
) -> None:
    settings.REFUND_APPROVAL_ABOVE = "1"
    refund = refund_to(vera)
    for name in ("otto", "olga"):
        approvals.approve(refund, address=refund.address, word=word_of(name), now=NOW)
    otto = User.objects.get(username="otto")

    if "groups" in lost:
        otto.groups.clear()
    else:
        User.objects.filter(pk=otto.pk).update(**lost)

    assert waiting() == [refund]
    with pytest.raises(Conflict, match="may not approve"):
        approvals.approve(refund, address=refund.address, word=Word(otto.pk, "otto", "again"), now=NOW)
    assert approvals.approve(refund, address=refund.address, word=word_of("oscar"), now=NOW) == 2


class TestOnePerson:
    @pytest.fixture
    def refund(self, vera: User, settings: Settings) -> Refund:
        settings.REFUND_APPROVAL_ABOVE = "1"
        refund = refund_to(vera)
        approvals.approve(refund, address=refund.address, word=word_of("otto"), now=NOW)
        return refund

    def test_is_one_with_the_account_that_he_has_made(self, refund: Refund) -> None:
        changed(word_of("second"), by=word_of("otto"), days_ago=29)

        with pytest.raises(Conflict, match="count as one operator"):
            approvals.approve(refund, address=refund.address, word=word_of("second"), now=NOW)

    def test_is_one_with_whoever_has_set_his_password(self, refund: Refund) -> None:
        changed(word_of("otto"), by=word_of("second"))

        with pytest.raises(Conflict, match="count as one operator"):
            approvals.approve(refund, address=refund.address, word=word_of("second"), now=NOW)

    def test_is_one_with_an_account_made_by_an_account_that_he_has_made(self, refund: Refund) -> None:
        changed(word_of("second"), by=word_of("otto"))
        changed(word_of("third"), by=word_of("second"))

        with pytest.raises(Conflict, match="count as one operator"):
            approvals.approve(refund, address=refund.address, word=word_of("third"), now=NOW)

    def test_has_made_both(self, refund: Refund) -> None:
        for name in ("otto", "second"):
            changed(word_of(name), by=word_of("boss"))

        with pytest.raises(Conflict, match="count as one operator"):
            approvals.approve(refund, address=refund.address, word=word_of("second"), now=NOW)

    def test_is_two_again_when_the_days_are_over(self, refund: Refund) -> None:
        changed(word_of("second"), by=word_of("otto"), days_ago=31)

        assert approvals.approve(refund, address=refund.address, word=word_of("second"), now=NOW) == 2
