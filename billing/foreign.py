"""Transactions of the account that no row of the journal knows, and what an operator says of them.

What such a transaction has paid for waiting refunds and payouts is booked as the wallet tells it; what it has
paid besides was taken out of the wallet by the operator. The books say then what the wallet holds.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from billing import ledger, operators, sends
from billing.matching import asked, is_same_recipient, payments_of
from billing.models import ForeignSend, Refund, WalletSend
from billing.operator_rules import Verb
from billing.operators import Word
from billing.payout_models import Payout
from billing.rules import WAITING_REFUND, RefundStatus, SendStatus
from core.db import operation, require_transaction
from core.errors import Conflict
from sessions_app.models import Vendor
from zcash import money, queries
from zcash.fees import unknown_fee_zat
from zcash.models import SpendingPermission
from zcash.node.port import Payment, WalletPort
from zcash.rules import CLOSED


def unexplained() -> list[ForeignSend]:
    """Return the transactions that stop all sending."""
    return list(ForeignSend.objects.filter(explanation="").order_by("id"))


def point_out(txid: str, *, wallet: WalletPort, tip_height: int, now: datetime) -> bool:
    """Let a transaction be looked at that the wallet does not list; False where the wallet does not know it.

    Of what gave no change only a person can tell. It may be what a refund of unknown outcome waits for.

    Raises:
        NodeUnavailable: the node is away.
    """
    if sends.accounted_for([txid]) or ForeignSend.objects.filter(txid=txid).exists():
        return True
    if wallet.transaction(txid) is None:
        return False
    with operation():
        ForeignSend.objects.get_or_create(
            txid=txid, defaults={"payments": [], "seen_height": tip_height, "first_seen_at": now}
        )
    return True


def claims(txid: str) -> list[str]:
    """Return whose money an unexplained transaction may have paid, a sentence each.

    An explanation would let it be paid again: a refund or payout that waits for the same recipient, a
    permission that a restored database still takes for alive, or for not refunded, and a vendor who is paid
    there: what he has earned may be what was paid, queued after the backup was made.
    """
    found = ForeignSend.objects.filter(txid=txid, explanation="").first()
    if found is None:
        return []
    paid = [payment["address"] for payment in found.payments]
    if not paid:
        return ["the wallet does not say whom it has paid"]
    told = [
        f"{_noun(each)} {each.public_id} waits for the same recipient"
        for each in _waiting()
        if any(is_same_recipient(address, each.address) for address in paid)
    ]
    target = Q(refund_address__in=paid) | Q(refund_address=None, wallet_address__in=paid)
    # What has ended and has something left is refunded by the next round.
    due = SpendingPermission.objects.filter(target).exclude(status__in=CLOSED, remaining_zat=0)
    told += [
        f"permission {each.public_id} is {each.status} and refunds there" for each in due.order_by("id")[:20]
    ]
    return told + [f"vendor {each.slug} of {each.client} is paid there" for each in _vendors_paid_at(paid)]


def explain(txid: str, *, settles: Sequence[UUID], word: Word, tip_height: int, now: datetime) -> bool:
    """Write down what a transaction was, and what it settles; False where there is none to explain.

    A refund or payout that it has paid too little of is paid by so much: the rest is owed as before.

    Raises:
        Conflict: one that it settles does not wait, or was paid nothing by it.
    """
    with operation():
        rows = _lock_named(set(settles))
        found = ForeignSend.objects.select_for_update().filter(txid=txid, explanation="").first()
        if found is None:
            return False
        if rows:
            _settle(found, rows, word=word, tip_height=tip_height, now=now)
        withdrawn_zat = close(found, explanation=word.reason, now=now)
        details = {"txid": txid, "settles": [str(each) for each in settles], "withdrawn_zat": withdrawn_zat}
        operators.note(word, Verb.EXPLAIN, now=now, details=details)
    return True


def close(found: ForeignSend, *, explanation: str, now: datetime) -> int:
    """Explain a transaction, and book what nobody had asked for; return that, in zatoshis; a step."""
    require_transaction()
    found.explanation, found.explained_at = explanation, now
    found.withdrawn_zat = _unasked_zat(found)
    found.save(update_fields=["explanation", "explained_at", "withdrawn_zat"])
    if found.withdrawn_zat:
        ledger.withdrawn(found.pk, amount_zat=found.withdrawn_zat, now=now)
    return found.withdrawn_zat


def lock_waiting() -> list[Refund | Payout]:
    """Lock the refunds and payouts that wait; a step."""
    refunds = Refund.objects.filter(status__in=WAITING_REFUND).select_for_update(no_key=True)
    payouts = Payout.objects.filter(status__in=WAITING_REFUND).select_for_update(no_key=True)
    return [*refunds.order_by("id"), *payouts.order_by("id")]


def _lock_named(named: set[UUID]) -> list[Refund | Payout]:
    """Lock waiting refunds and payouts by their ids, each refund behind its permission."""
    waiting = Refund.objects.filter(public_id__in=named, status__in=WAITING_REFUND)
    for permission_id in sorted(waiting.values_list("permission_id", flat=True)):
        queries.lock(permission_id)
    refunds = waiting.select_for_update(no_key=True).order_by("id")
    payouts = Payout.objects.filter(public_id__in=named, status__in=WAITING_REFUND)
    rows: list[Refund | Payout] = [*refunds, *payouts.select_for_update(no_key=True).order_by("id")]
    if len(rows) != len(named):
        raise Conflict("one of these refunds or payouts does not exist or does not wait")
    return rows


def _settle(
    found: ForeignSend, rows: Sequence[Refund | Payout], *, word: Word, tip_height: int, now: datetime
) -> None:
    """Book locked rows as paid by a transaction, each by an output of its own."""
    left = payments_of(found)
    for row in rows:
        output = _output_for(row, left)
        left.remove(output)
        if output.amount_zat < row.paid_zat:
            _give_back(row, row.paid_zat - output.amount_zat, word=word, now=now)
    send = sends.adopt([asked(each) for each in rows], found.txid, tip_height=tip_height, now=now)
    for row in rows:
        sends.carry(row, to=RefundStatus.SENT, now=now, reason="booked by an operator", send=send)


def _output_for(row: Refund | Payout, outputs: Sequence[Payment]) -> Payment:
    """Return what has paid a row: of several to its recipient the one of its amount, else the largest."""
    to_it = [each for each in outputs if is_same_recipient(each.address, row.address)]
    if not to_it:
        raise Conflict(
            f"the wallet says nothing of a payment to {row.address}, where {_noun(row)} {row.public_id} goes"
        )
    return max(to_it, key=lambda each: (each.amount_zat == row.paid_zat, each.amount_zat))


def _give_back(row: Refund | Payout, rest_zat: int, *, word: Word, now: datetime) -> None:
    """Let the part of a locked row that was not paid be owed by what it came from."""
    row.amount_zat -= rest_zat
    row.save(update_fields=["amount_zat"])
    ledger.outgoing_reduced(row, rest_zat=rest_zat, now=now)
    if isinstance(row, Refund):
        details = {"refund_id": str(row.public_id), **word.details}
        permission = queries.lock(row.permission_id)
        money.put_back(permission, amount_zat=rest_zat, now=now, actor=word.actor, details=details)


def _unasked_zat(found: ForeignSend) -> int:
    """Return what a transaction has paid to others beyond what the journal asked for, in zatoshis.

    Where the journal asked for nothing its network fee is the operator's, too, as far as can be told.
    """
    paid = payments_of(found)
    known = WalletSend.objects.exclude(status=SendStatus.FAILED).filter(txids__contains=[found.txid])
    asked_zat = sum(each.amount_zat for send in known for each in payments_of(send))
    fee_zat = unknown_fee_zat(outputs=len(paid)) if paid and not known else 0
    return max(0, sum(each.amount_zat for each in paid) + fee_zat - asked_zat)


def _vendors_paid_at(paid: Sequence[str]) -> list[Vendor]:
    """Return the vendors who are paid where something was, or were once."""
    once = Payout.objects.exclude(status=RefundStatus.CANCELLED).values_list("vendor_id", "address")
    now = Vendor.objects.exclude(payout_address=None).values_list("id", "payout_address")
    where = {*once.distinct(), *now}
    found = {pk for pk, address in where if any(is_same_recipient(one, address or "") for one in paid)}
    return list(Vendor.objects.filter(pk__in=found).select_related("client").order_by("id"))


def _noun(row: Refund | Payout) -> str:
    return "payout" if isinstance(row, Payout) else "refund"


def _waiting() -> list[Refund | Payout]:
    refunds = Refund.objects.filter(status__in=WAITING_REFUND).order_by("id")
    return [*refunds, *Payout.objects.filter(status__in=WAITING_REFUND).order_by("id")]
