"""Making permissions: an address of their own, the limits, and receipts over a network call."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from core.idempotency import LEASE, KeyInFlight, KeyReused, Receipt
from core.models import Event, ReceiptRow, User
from tests.factories import ALICE, NOW, SYNCED, ZEC, after, make_client
from zcash import permissions, wallets
from zcash.errors import AddressInvalid, LimitExceeded
from zcash.models import PermissionAudit, SpendingPermission
from zcash.node.port import IndexUnusable, NodeStatus, NodeUnavailable, WalletAddress
from zcash.permissions import Request

pytestmark = pytest.mark.django_db

REQUEST = Request(ALICE, 10 * ZEC, 1 * ZEC, 30)


class Wallet:
    """Hands out addresses and remembers what it was asked; `before` is called first."""

    def __init__(self, *, unusable: int = 0, before: Callable[[], None] | None = None) -> None:
        self.asked: list[int] = []
        self.unusable = unusable
        self.before = before

    def status(self) -> NodeStatus:
        return SYNCED

    def new_address(self, index: int) -> WalletAddress:
        self.asked.append(index)
        if self.before:
            self.before()
        if len(self.asked) <= self.unusable:
            raise IndexUnusable(
                "new_address", rpc_code=-4, rpc_message="no address at this diversifier index"
            )
        return WalletAddress(f"address-{index}", index)


def away() -> None:
    raise NodeUnavailable("the wallet is away")


@pytest.fixture
def vera() -> User:
    return make_client()


def create(
    client: User,
    wallet: Wallet,
    *,
    request: Request = REQUEST,
    receipt: Receipt | None = None,
    seconds: float = 0,
) -> SpendingPermission:
    return permissions.create(
        request,
        client_id=client.pk,
        wallet=wallet,  # type: ignore[arg-type]
        now=after(seconds=seconds),
        receipt=receipt,
    )


def receipt(client: User, *, body: bytes = b"body") -> Receipt:
    return Receipt(client.pk, "POST /permissions", "key", body.ljust(32, b"."))


def test_inserts_an_unpaid_permission_at_an_address_of_its_own(vera: User, settings: Settings) -> None:
    settings.PERMISSION_PAYMENT_WINDOW_HOURS = 24
    wallet = Wallet()

    made = create(vera, wallet)

    assert (made.status, made.remaining_zat, made.approved_zat) == ("pending", 0, 10 * ZEC)
    assert (made.expires_at, made.pay_before) == (NOW + timedelta(days=30), after(hours=24))
    assert (made.payment_address, made.diversifier_index) == (f"address-{wallet.asked[0]}", wallet.asked[0])
    assert PermissionAudit.objects.get().actor == f"client:{vera.pk}"
    assert Event.objects.get().kind == "permission.created"


def test_the_payment_window_never_outlives_the_permission(vera: User, settings: Settings) -> None:
    settings.PERMISSION_PAYMENT_WINDOW_HOURS = 48

    made = create(vera, Wallet(), request=Request(ALICE, 10 * ZEC, 1 * ZEC, 1))

    assert made.pay_before == made.expires_at == after(hours=24)


def test_no_two_permissions_share_an_index(vera: User) -> None:
    wallet = Wallet()

    for _ in range(20):
        create(vera, wallet)

    assert len(set(wallet.asked)) == 20
    assert all(0 <= index < 2**62 for index in wallet.asked)
    assert max(wallet.asked) > 2**50


def test_draws_another_index_where_there_is_no_address(vera: User) -> None:
    wallet = Wallet(unusable=5)

    made = create(vera, wallet)

    assert len(set(wallet.asked)) == 6
    assert made.diversifier_index == wallet.asked[-1]


def test_gives_up_on_a_wallet_that_refuses_every_index(vera: User) -> None:
    wallet = Wallet(unusable=1000)

    with pytest.raises(NodeUnavailable, match="64 random indices"):
        create(vera, wallet)

    assert len(wallet.asked) == 64
    assert not SpendingPermission.objects.exists()


def test_writes_nothing_while_the_wallet_is_away(vera: User) -> None:
    with pytest.raises(NodeUnavailable):
        create(vera, Wallet(before=away), receipt=receipt(vera))

    assert not SpendingPermission.objects.exists()
    assert not Event.objects.exists()
    assert not ReceiptRow.objects.exists()


def test_a_repetition_after_a_failure_need_not_wait(vera: User) -> None:
    with pytest.raises(NodeUnavailable):
        create(vera, Wallet(before=away), receipt=receipt(vera))

    made = create(vera, Wallet(), receipt=receipt(vera), seconds=1)

    assert made.status == "pending"


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("requested_amount", Request(ALICE, 1 * ZEC - 1, 1, 30)),
        ("requested_amount", Request(ALICE, 100 * ZEC + 1, 1, 30)),
        ("duration_days", Request(ALICE, 10 * ZEC, 1, 0)),
        ("duration_days", Request(ALICE, 10 * ZEC, 1, 91)),
    ],
)
def test_refuses_what_is_outside_of_the_limits(
    vera: User, settings: Settings, field: str, request_: Request
) -> None:
    settings.MIN_PERMISSION_AMOUNT, settings.MAX_PERMISSION_AMOUNT = "1", "100"
    settings.MAX_PERMISSION_DURATION_DAYS = 90
    wallet = Wallet()

    with pytest.raises(LimitExceeded) as refusal:
        create(vera, wallet, request=request_, receipt=receipt(vera))

    assert refusal.value.field == field
    assert wallet.asked == []
    assert not ReceiptRow.objects.exists()


@pytest.mark.parametrize("amount", [1 * ZEC, 100 * ZEC])
def test_accepts_the_limits_themselves(vera: User, settings: Settings, amount: int) -> None:
    settings.MIN_PERMISSION_AMOUNT, settings.MAX_PERMISSION_AMOUNT = "1", "100"

    assert create(vera, Wallet(), request=Request(ALICE, amount, 1, 1)).requested_zat == amount


@pytest.mark.parametrize("text", ["0x52908400098527886E0F7030069857D2E4169EE7", "", "tmAliceWallet", "u1bad"])
def test_names_the_field_of_a_bad_wallet_address(text: str) -> None:
    with pytest.raises(AddressInvalid) as refusal:
        wallets.canonical_wallet(text)

    assert refusal.value.field == "user_wallet_address"


def test_the_same_key_returns_the_same_permission(vera: User) -> None:
    wallet = Wallet()
    first = create(vera, wallet, receipt=receipt(vera))

    again = create(vera, wallet, receipt=receipt(vera), seconds=32_400)

    assert again == first
    assert len(wallet.asked) == SpendingPermission.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(vera: User) -> None:
    create(vera, Wallet(), receipt=receipt(vera))

    with pytest.raises(KeyReused):
        create(vera, Wallet(), receipt=receipt(vera, body=b"other"))


def test_a_second_call_while_the_first_waits_for_the_wallet_is_in_flight(vera: User) -> None:
    def call_again() -> None:
        with pytest.raises(KeyInFlight):
            create(vera, Wallet(), receipt=receipt(vera), seconds=30)

    made = create(vera, Wallet(before=call_again), receipt=receipt(vera))

    assert SpendingPermission.objects.get() == made


def test_a_retry_after_a_crash_asks_for_the_same_index(vera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise SystemExit

    wallet = Wallet(unusable=2)
    insert = permissions._insert
    monkeypatch.setattr(permissions, "_insert", crash)
    with pytest.raises(SystemExit):
        create(vera, wallet, receipt=receipt(vera))
    monkeypatch.setattr(permissions, "_insert", insert)
    with pytest.raises(KeyInFlight):
        create(vera, wallet, receipt=receipt(vera), seconds=59)

    retried = Wallet(unusable=2)
    made = create(vera, retried, receipt=receipt(vera), seconds=LEASE.total_seconds())

    assert retried.asked == wallet.asked
    assert made.diversifier_index == wallet.asked[-1]


def test_a_first_call_that_outlives_its_lease_ends_up_with_the_retrys_permission(vera: User) -> None:
    made: list[SpendingPermission] = []

    def retry_meanwhile() -> None:
        made.append(create(vera, Wallet(), receipt=receipt(vera), seconds=61))

    answered = create(vera, Wallet(before=retry_meanwhile), receipt=receipt(vera))

    assert [answered] == made == list(SpendingPermission.objects.all())
