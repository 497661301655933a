"""An example of everything that the back office takes: where it is sent to, what is sent, and what that does.

`test_forms.py` finds out by itself what the back office takes: whoever adds a form, or an action, adds its
example here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from billing import holds
from billing.models import Refund, WalletSend
from billing.operator_models import Approval, OperatorAction
from billing.operators import Word
from billing.payout_models import Payout
from core import clock
from core.models import User, WebhookDelivery, WebhookEndpoint
from paygo.api import keys
from paygo.api.models import ApiKey
from paygo.backoffice.actions import ACTIONS
from sessions_app.models import Vendor, VendorTokenPrice
from tests.api.world import ALICE
from tests.backoffice import cases
from tests.backoffice.vendor_form import opened, page_of
from tests.factories import ZEC, see_deposit
from tests.tokens import CHAIN, USDT, configure_usdt
from zcash import permissions, watch
from zcash.models import Deposit, SpendingPermission
from zcash.node import connect
from zcash.node.rpc import RpcClient
from zcash.unmatched_models import UnmatchedDeposit

PASSWORD, OTHER_PASSWORD = "correct horse battery staple", "another horse battery staple"
REASON = "as agreed with whom it concerns"


@dataclass
class World:
    """Vera with a vendor, the operator who sends, and what the service is configured for."""

    vera: User
    vendor: Vendor
    operator: User
    browser: Client
    node: RpcClient
    settings: Any
    folder: Path

    @property
    def word(self) -> Word:
        """Return what another operator has said before."""
        return Word(None, "root", "before the test")


@dataclass(frozen=True)
class Example:
    """Something that is sent, and whether it has done what it is for."""

    path: str
    sent: Mapping[str, object]
    is_done: Callable[[], object]


# -- Actions --------------------------------------------------------------------------------------------


def _paid(world: World) -> SpendingPermission:
    """Return a permission whose payment has its confirmations, and nobody has looked."""
    request = permissions.Request(ALICE, 10 * ZEC, 250_000_000, 30)
    made = permissions.create(request, client_id=world.vera.pk, wallet=connect(), now=clock.now())
    world.node.call("sim_pay", made.payment_address, 10.0)
    watch.look(made, wallet=connect(), now=clock.now())
    world.node.call("generate", 3)
    return made


def _held(world: World) -> SpendingPermission:
    permission = cases.active(world.vera)
    holds.hold(permission.pk, word=world.word, now=clock.now())
    return permission


def _rest(world: World) -> SpendingPermission:
    return cases.revoked(world.vera, world.word, requested=50_000)


def _late(world: World) -> Deposit:
    permission = cases.revoked(world.vera, world.word)
    return see_deposit(permission, amount=ZEC, now=clock.now(), confirmations=0)


def _unmatched(_: World) -> UnmatchedDeposit:
    return UnmatchedDeposit.objects.create(
        txid="a" * 64, pool="orchard", output_index=0, address="x", amount_zat=1, first_seen_at=clock.now()
    )


def _waiting_refund(world: World) -> Refund:
    world.settings.REFUND_APPROVAL_ABOVE = "5"
    return Refund.objects.get(permission=cases.revoked(world.vera, world.word))


def _waiting_payout(world: World) -> Payout:
    world.settings.PAYOUT_APPROVAL_ABOVE = "0.5"
    return cases.payable(world.vera)


def _failed_payout(world: World) -> Payout:
    payout = cases.payable(world.vera)
    Payout.objects.filter(pk=payout.pk).update(status="failed", attempts=1, reason="insufficient funds (-6)")
    return payout


def _under_way(row: Refund | Payout, world: World) -> Any:
    # What the wallet makes of it is none of the form's business: it is away.
    world.settings.ZCASH_RPC_URL = "http://127.0.0.1:1"
    sent = {"account": "0", "policy": "x", "payments": [], "intent_height": 1, "busy_height": 1}
    send = WalletSend.objects.create(**sent, created_at=clock.now(), status="unknown")
    type(row).objects.filter(pk=row.pk).update(status="unknown", send=send)
    return row


def _failing(world: World) -> WebhookEndpoint:
    endpoint = cases.delivered(world.vera).endpoint
    since = clock.now() - timedelta(hours=2)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=since, failures=9)
    return endpoint


def _missed(world: World) -> WebhookDelivery:
    delivery, now = cases.delivered(world.vera), clock.now()
    over = {"status": "failed", "next_attempt_at": None, "finished_at": now}
    WebhookDelivery.objects.filter(pk=delivery.pk).update(**over)
    return delivery


def _key(world: World) -> ApiKey:
    keys.create(world.vera, name="first", now=clock.now())
    return ApiKey.objects.get(client=world.vera)


def _is(status: str) -> Callable[[Any], bool]:
    return lambda row: row.status == status


def _is_said(_: Model) -> bool:
    """Nothing but the word: that it is there is asked of every action."""
    return True


def _is_later(row: SpendingPermission) -> bool:
    return row.expires_at > clock.now() + timedelta(days=36)


def _is_refunded(row: SpendingPermission) -> bool:
    return Refund.objects.filter(permission=row, status="queued").exists()


def _is_approved(row: Refund | Payout) -> bool:
    return Approval.objects.filter(address=row.address).exists()


def _is_sent_again(row: WebhookDelivery) -> bool:
    return WebhookDelivery.objects.filter(endpoint=row.endpoint, is_redelivery=True).exists()


# What an action is done to, and how that is then.
_ACTS: dict[str, tuple[Callable[[World], Any], Callable[[Any], bool]]] = {
    "verify-spendingpermission": (_paid, _is("active")),
    "hold-spendingpermission": (lambda world: cases.active(world.vera), _is("suspended")),
    "lift-spendingpermission": (_held, _is("active")),
    "extend-spendingpermission": (lambda world: cases.active(world.vera), _is_later),
    "revoke-spendingpermission": (lambda world: cases.active(world.vera), _is("revoked")),
    "refund-spendingpermission": (_rest, _is_refunded),
    "resolve-spendingpermission": (_held, _is_said),
    "verify-deposit": (lambda world: Deposit.objects.get(permission=_paid(world)), _is("confirmed")),
    "resolve-deposit": (_late, _is_said),
    "resolve-unmatcheddeposit": (_unmatched, lambda row: row.resolved_at is not None),
    "end_session-streamingsession": (
        lambda world: cases.silent(world.vera),
        lambda row: row.end_reason == "ended_by_operator",
    ),
    "resolve-streamingsession": (lambda world: cases.silent(world.vera), _is_said),
    "approve-refund": (_waiting_refund, _is_approved),
    "retry-refund": (lambda world: cases.failed(world.vera, world.word), _is("queued")),
    "follow-refund": (lambda world: _under_way(cases.failed(world.vera, world.word), world), _is("unknown")),
    "resolve-refund": (lambda world: cases.failed(world.vera, world.word), _is("failed")),
    "approve-payout": (_waiting_payout, _is_approved),
    "retry-payout": (_failed_payout, _is("queued")),
    "follow-payout": (lambda world: _under_way(cases.payable(world.vera), world), _is("unknown")),
    "resolve-payout": (_failed_payout, _is("failed")),
    "enable-webhookendpoint": (_failing, lambda row: row.failing_since is None),
    "resolve-webhookendpoint": (_failing, lambda row: row.failing_since is not None),
    "redeliver-webhookdelivery": (_missed, _is_sent_again),
    "revoke_key-apikey": (_key, lambda row: row.revoked_at is not None),
}


def _act(name: str) -> Callable[[World], Example]:
    make, is_then = _ACTS[name]

    def example(world: World) -> Example:
        row = make(world)
        path = reverse("admin:act", args=[name, row.pk])
        # What the page has shown is sent along.
        sent = {**world.browser.get(path).context["form"].initial, "reason": REASON}
        if name.startswith("extend-"):
            sent["days"] = 7

        def is_done() -> bool:
            row.refresh_from_db()
            said = OperatorAction.objects.filter(verb=ACTIONS[name].verb, operator=world.operator)
            return is_then(row) and said.get().reason == REASON

        return Example(path, sent, is_done)

    return example


# -- Forms of a table -----------------------------------------------------------------------------------


def _add_user(_: World) -> Example:
    sent = {"username": "second", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    return Example(reverse("admin:core_user_add"), sent, User.objects.filter(username="second").exists)


def _change_user(world: World) -> Example:
    path = reverse("admin:core_user_change", args=[world.vera.pk])
    changed = User.objects.filter(pk=world.vera.pk, first_name="Vera", is_active=True)
    return Example(path, {"first_name": "Vera", "is_active": "on"}, changed.exists)


def _set_password(world: World) -> Example:
    path = reverse("admin:auth_user_password_change", args=[world.vera.pk])
    sent = {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD, "usable_password": "true"}
    return Example(path, sent, lambda: User.objects.get(pk=world.vera.pk).check_password(OTHER_PASSWORD))


def _add_group(_: World) -> Example:
    right = Permission.objects.get(codename="view_deposit")
    added = Group.objects.filter(name="auditors", permissions=right)
    return Example(
        reverse("admin:auth_group_add"), {"name": "auditors", "permissions": [right.pk]}, added.exists
    )


def _change_group(world: World) -> Example:
    group = Group.objects.create(name="auditors")
    world.vera.groups.add(group)
    path = reverse("admin:auth_group_change", args=[group.pk])
    return Example(path, {"name": "renamed"}, Group.objects.filter(pk=group.pk, name="renamed").exists)


def _delete_group(world: World) -> Example:
    group = Group.objects.create(name="auditors")
    world.vera.groups.add(group)
    path = reverse("admin:auth_group_delete", args=[group.pk])
    return Example(path, {"post": "yes"}, lambda: not Group.objects.filter(pk=group.pk).exists())


def _add_vendor(world: World) -> Example:
    sent = {"client": world.vera.pk, "slug": "second", "name": "Second", "is_active": "on", "fee_bps": 250}
    sent["reason"] = REASON
    added = Vendor.objects.filter(slug="second", client=world.vera, fee_bps=250, price_version=1)
    return Example(reverse("admin:sessions_app_vendor_add"), sent, added.exists)


def _change_vendor(world: World) -> Example:
    sent = {**opened(world.browser, world.vendor), "name": "Vera TV", "price_zat_per_hour": 2}
    changed = Vendor.objects.filter(pk=world.vendor.pk, name="Vera TV", price_zat_per_hour=2, price_version=2)
    return Example(page_of(world.vendor), sent, changed.exists)


def _add_token_price(world: World) -> Example:
    configure_usdt(world.folder, world.settings, CHAIN)
    sent = {"vendor": world.vendor.pk, "token": f"{CHAIN}:{USDT}", "price": 5, "reason": REASON}
    added = VendorTokenPrice.objects.filter(vendor=world.vendor, version=1, price_units_per_hour=5)
    return Example(reverse("admin:sessions_app_vendortokenprice_add"), sent, added.exists)


# -- An operator's own ----------------------------------------------------------------------------------


def _log_in(world: World) -> Example:
    world.browser.logout()
    sent = {"username": world.operator.username, "password": PASSWORD}
    return Example(reverse("admin:login"), sent, lambda: "_auth_user_id" in world.browser.session)


def _log_out(world: World) -> Example:
    return Example(reverse("admin:logout"), {}, lambda: "_auth_user_id" not in world.browser.session)


def _change_own_password(world: World) -> Example:
    new = {"new_password1": OTHER_PASSWORD, "new_password2": OTHER_PASSWORD}
    operator = User.objects.filter(pk=world.operator.pk)
    return Example(
        reverse("admin:password_change"),
        {"old_password": PASSWORD, **new},
        lambda: operator.get().check_password(OTHER_PASSWORD),
    )


# Which every operator may send; other forms are for the role `admin`.
OWN: dict[str, Callable[[World], Example]] = {
    "login": _log_in,
    "logout": _log_out,
    "password_change": _change_own_password,
}
EXAMPLES: dict[str, Callable[[World], Example]] = {
    **{f"act {name}": _act(name) for name in _ACTS},
    **OWN,
    "auth_user_password_change": _set_password,
    "core_user_add": _add_user,
    "core_user_change": _change_user,
    "auth_group_add": _add_group,
    "auth_group_change": _change_group,
    "auth_group_delete": _delete_group,
    "sessions_app_vendor_add": _add_vendor,
    "sessions_app_vendor_change": _change_vendor,
    "sessions_app_vendortokenprice_add": _add_token_price,
}
