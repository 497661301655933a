"""Every invariant of `billing/audit.sql` is broken by hand once, and the audit names it."""

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from billing import audit, engine, foreign, funding, interval, refunds, sends, transactions
from billing.matching import asked
from billing.models import ForeignSend, Refund
from billing.operators import Word
from billing.rules import RefundStatus, SendStatus, depletes_ms
from core import clock, db, publisher
from core.models import User
from sessions_app.models import StreamingSession, Vendor
from tests import books
from tests.factories import (
    ALICE,
    MALLORY,
    USD,
    ZEC,
    after,
    make_active_permission,
    make_authorization,
    make_client,
    make_vendor,
    stream,
)
from zcash.models import SpendingPermission
from zcash.node.port import PrivacyPolicy

pytestmark = pytest.mark.django_db

# The start of an invariant's name, and what breaks it, past every trigger and constraint. Alice's permission
# runs one session, Bob's two; Carol's is used up, and that of the wallet ALICE was revoked and refunded.
# Erin's authorisation runs one session, Frank's is used up.
BROKEN = {
    "I1 what was credited is": "UPDATE zcash_permission SET remaining_zat = remaining_zat + 1 WHERE {alice}",
    "I1 all that was received": "UPDATE zcash_permission SET remaining_zat = remaining_zat - 1 WHERE {bob}",
    "I1 credits are": (
        "UPDATE zcash_deposit SET amount_zat = amount_zat + 1 WHERE permission_id = ({alice_id})"
    ),
    "I1 what left for refunds": "UPDATE billing_refund SET status = 'cancelled'",
    "I1 a send pays exactly": "UPDATE billing_refund SET fee_zat = fee_zat + 1",
    "I1 a send pays its refunds and payouts": "UPDATE billing_refund SET address = 'mallory'",
    "I1 no transaction of the wallet": "UPDATE billing_walletsend SET txids = ARRAY['a', 'a']",
    "I2 no amount": "UPDATE zcash_permission SET previous_zat = -1 WHERE {alice}",
    "I2 the meter counts": (
        "UPDATE zcash_permission SET settled_at = settled_at + interval '1 us' WHERE {alice}"
    ),
    "I3 a session's transactions": (
        "UPDATE billing_transaction SET started_at = started_at + interval '1 ms'"
        " WHERE permission_id = ({alice_id})"
    ),
    "I3 an ended session": "UPDATE sessions_session SET status = 'paused' WHERE wallet_address = 'alice'",
    "I3 an open session": (
        "UPDATE sessions_session SET client_ref = '', vendor_id = (SELECT min(id) FROM sessions_vendor)"
        " WHERE wallet_address = 'bob'"
    ),
    "I3 the count of open": "UPDATE zcash_permission SET open_transactions = 3 WHERE {bob}",
    "I3 the meter on a permission": "UPDATE zcash_permission SET meter_rate_zat_per_hour = 7 WHERE {alice}",
    "I3 settlements": (
        "UPDATE zcash_permission_audit SET effective_at = '2026-02-02' WHERE action = 'settled'"
    ),
    "I4 no session costs": "UPDATE sessions_session SET max_amount_zat = 1 WHERE {alice}",
    "I4 a vendor costs": "UPDATE sessions_vendor SET price_zat_per_hour = 7 WHERE slug = 'cheap'",
    "I4 a vendor's prices in tokens": "UPDATE sessions_vendor SET token_price_version = 2",
    "I4 a session costs what": (
        "UPDATE sessions_session SET rate_zat_per_hour = 7 WHERE client_ref = 'second'"
    ),
    "I4 an open transaction runs": (
        "UPDATE billing_transaction SET billable_until = billable_until - interval '1 ms'"
        " WHERE status = 'open'"
    ),
    "I4 a final amount follows": (
        "UPDATE billing_transaction SET amount_zat = amount_zat - 1 WHERE status <> 'open'"
    ),
    "I4 nothing was billed past": "UPDATE sessions_session SET ended_at = ended_at - interval '1 ms'",
    "I4 nothing happens by itself before a permission": (
        "UPDATE zcash_permission SET next_event_at = next_event_at + interval '1 ms' WHERE {bob}"
    ),
    "I4 the amount before": "UPDATE zcash_permission SET previous_zat = 12345 WHERE {alice}",
    "I5 the audit trail leads": (
        "DELETE FROM zcash_permission_audit a WHERE id = (SELECT max(id) FROM zcash_permission_audit b"
        " WHERE b.permission_id = ({alice_id}))"
    ),
    "I5 the audit trail has": (
        "UPDATE zcash_permission_audit SET amount_before_zat = amount_before_zat + 1 WHERE action = 'settled'"
    ),
    "I5 every audit row": (
        "UPDATE zcash_permission_audit SET amount_after_zat = amount_after_zat - 1 WHERE action = 'activated'"
    ),
    "I5 what the trail says": "DELETE FROM zcash_permission_audit WHERE action = 'settled'",
    "I5 the trail of credits": (
        "UPDATE zcash_permission SET credited_zat = credited_zat + 1, reversed_zat = reversed_zat + 1"
    ),
    "I5 the last state": "DELETE FROM zcash_permission_audit WHERE action = 'exhausted'",
    "I5 no event is": "DELETE FROM core_event WHERE position = 2",
    "I5 every change": (
        "DELETE FROM core_event WHERE position = (SELECT max(position) FROM core_event"
        " WHERE kind = 'permission.activated')"
    ),
    "I5 the end of every": "DELETE FROM core_event WHERE kind = 'session.ended'",
    "I5 the end of a session": (
        "UPDATE core_event SET payload = payload || '{{\"amount\": \"0.5\"}}' WHERE kind = 'session.ended'"
    ),
    "I5 every refund": "UPDATE core_event SET payload = '{{}}' WHERE kind = 'refund.queued'",
    "I6 what an ended": (
        "UPDATE zcash_permission SET refund_due = false, remaining_zat = 1 WHERE status = 'revoked'"
    ),
    "I6 exhausted means": "UPDATE zcash_permission SET status = 'exhausted' WHERE {bob}",
    "I6 a permission on hold": "UPDATE zcash_permission SET status = 'suspended' WHERE {bob}",
    "I6 one permission": (
        "UPDATE zcash_permission SET status = 'queued', queued_at = created_at WHERE {alice}"
    ),
    "I6 no event is": (
        "UPDATE zcash_permission SET next_event_at = created_at - interval '1 day' WHERE {alice}"
    ),
    "I8 an output": "UPDATE zcash_deposit SET txid = 'one'",
    "I8 a deposit was credited": (
        "INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,"
        " amount_after_zat, action, actor, details) SELECT permission_id, created_at, effective_at, 0, 0,"
        " action, actor, details FROM zcash_permission_audit WHERE action = 'credited'"
    ),
    "I8 a credited deposit": "UPDATE zcash_deposit SET block_hash = NULL",
    "I9 who streams, who": (
        "UPDATE sessions_session SET wallet_address = 'mallory' WHERE wallet_address = 'alice'"
    ),
    "I9 a client is told": "UPDATE core_event SET client_id = {mallory_id} WHERE kind = 'session.started'",
    "I9 what is on its way": "UPDATE zcash_permission SET refund_address = 'mallory'",
    "I10 everything": "UPDATE zcash_permission SET settled_at = created_at WHERE {alice}",
    "I1 what an authorisation": (
        "UPDATE billing_authorization SET charged_units = charged_units + 1 WHERE {erin}"
    ),
    "I2 an authorisation is": "UPDATE billing_authorization SET collected_units = charged_units + 1",
    "I3 the count of an authorisation's": (
        "UPDATE billing_authorization SET open_transactions = 3 WHERE {erin}"
    ),
    "I4 a final amount of a token": (
        "UPDATE billing_transaction SET amount_units = amount_units - 2 WHERE status <> 'open'"
    ),
    "I4 nothing of a token": "UPDATE billing_transaction SET rate_units_per_hour = 7",
    "I4 nothing happens by itself before an authorisation's": (
        "UPDATE billing_authorization SET next_event_at = next_event_at + interval '1 ms' WHERE {erin}"
    ),
    "I5 a token transaction says": "UPDATE billing_transaction SET due_units = due_units + 1",
    "I5 a token transaction is": (
        "UPDATE billing_transaction SET status = 'confirmed' WHERE status = 'pending'"
    ),
    "I6 an authorisation that": "UPDATE billing_authorization SET status = 'suspended' WHERE {erin}",
    "I6 no event of an authorisation": (
        "UPDATE billing_authorization SET next_event_at = created_at - interval '1 day' WHERE {erin}"
    ),
    "I9 who streams and whose token": "UPDATE sessions_session SET wallet_address = 'mallory' WHERE {erin}",
    "I10 every authorisation": "UPDATE billing_authorization SET settled_at = created_at WHERE {erin}",
    "L1 a permission's account": (
        "UPDATE billing_transfer SET credit_of = credit_of + 1 WHERE kind = 'deposit'"
    ),
    "L2 a final transaction": "DELETE FROM billing_transfer WHERE kind = 'charge'",
    "L3 the platform's share": (
        "UPDATE billing_transfer SET kind = 'fee', debit = 'vendor', credit = 'fees' WHERE kind = 'charge'"
    ),
    "L4 a deposit that counts": (
        "INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units,"
        " cause_id, at, booked_at) SELECT kind, debit, debit_of, credit, credit_of, asset, amount_units,"
        " cause_id, at, booked_at FROM billing_transfer WHERE kind = 'deposit'"
    ),
    "L5 the account of a refund": "DELETE FROM billing_transfer WHERE kind = 'refund'",
    "L6 what has left": "DELETE FROM billing_transfer WHERE kind = 'refund_fee'",
    "L7 the platform's losses": "UPDATE zcash_permission SET shortfall_zat = 1 WHERE {alice}",
    "L8 no vendor": (
        "INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units,"
        " cause_id, at, booked_at) SELECT 'payout', 'vendor', credit_of, 'payout', 1, asset,"
        " 10 * amount_units, 1, at, booked_at FROM billing_transfer WHERE kind = 'charge'"
    ),
    "L10 a final transaction of a token": "DELETE FROM billing_transfer WHERE kind = 'chain_charge'",
    "L12 a payout in tokens": (
        "UPDATE billing_transfer SET kind = 'chain_payout', debit = 'vendor', debit_of = credit_of,"
        " credit = 'treasury' WHERE kind = 'chain_charge'"
    ),
    "L13 what the operator": "UPDATE billing_foreignsend SET withdrawn_zat = withdrawn_zat - 1",
    "L14 vendors were paid no more": (
        "INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units,"
        " cause_id, at, booked_at) SELECT 'chain_payout', 'vendor', credit_of, 'treasury', 0, asset,"
        " amount_units, 1, at, booked_at FROM billing_transfer WHERE kind = 'chain_charge'"
    ),
    "L15 a transfer moves": "UPDATE billing_transfer SET cause_id = 0 WHERE kind = 'refund'",
    "L11 what an authorisation owes": (
        "UPDATE billing_transfer SET debit_of = 0 WHERE kind = 'chain_charge'"
    ),
    "L9 what vendors": (
        "UPDATE billing_transfer SET kind = 'payout', debit = 'vendor', debit_of = credit_of,"
        " credit = 'payout' WHERE kind = 'charge'"
    ),
}
# Past every trigger, every check and every unique index.
_UNGUARDED = """
SET CONSTRAINTS ALL IMMEDIATE;
SET LOCAL session_replication_role = replica;
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.conrelid::regclass AS of, c.conname AS name FROM pg_constraint c
        JOIN pg_class t ON t.oid = c.conrelid
        WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('c', 'u') AND NOT t.relispartition
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', found.of, found.name);
    END LOOP;
    FOR found IN
        SELECT indexrelid::regclass AS name FROM pg_index i
        JOIN pg_class t ON t.oid = i.indrelid
        WHERE i.indisunique AND NOT i.indisprimary AND t.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('DROP INDEX %s', found.name);
    END LOOP;
END $$
"""


@pytest.fixture
def world() -> User:
    """Somebody in each state, two hours after the start."""
    vera = make_client()
    make_vendor(vera)
    make_vendor(vera, slug="cheap", price=ZEC // 3)
    Vendor.objects.update(fee_bps=250)
    for wallet in ("alice", "bob", ALICE):
        make_active_permission(vera, wallet=wallet, rate=1 * ZEC)
    make_authorization(vera, wallet="0xerin", linked=None)
    make_authorization(vera, wallet="0xfrank", linked=None, limit=USD // 2)
    make_active_permission(vera, wallet="carol", requested=ZEC, rate=1 * ZEC + 7)
    for wallet in ("alice", "bob", "carol", ALICE, "0xerin", "0xfrank"):
        stream(vera, wallet=wallet)
    stream(vera, wallet="bob", vendor="cheap", ref="second", now=after(seconds=7))
    interval.run_interval(now=after(hours=1), engine="test", chunk_size=100)
    engine.end(
        StreamingSession.objects.get(wallet_address=ALICE).code, client_id=vera.pk, now=after(hours=1.3, ms=1)
    )
    refund_what_is_left(vera)
    interval.run_interval(now=after(hours=2), engine="test", chunk_size=100)
    publisher.publish_all(now=after(hours=2))
    withdraw()
    return vera


def withdraw() -> None:
    """Take money out of the wallet past the service, and say so."""
    paid = [{"address": MALLORY, "amount_zat": ZEC, "memo": None}]
    ForeignSend.objects.create(txid="b" * 64, payments=paid, seen_height=9, first_seen_at=after(hours=2))
    word = Word(None, "shell:otto", "revenue")
    assert foreign.explain("b" * 64, settles=[], word=word, tip_height=9, now=after(hours=2))


def refund_what_is_left(vera: User) -> None:
    dora = SpendingPermission.objects.get(wallet_address=ALICE)
    SpendingPermission.objects.filter(pk=dora.pk).update(payment_address=MALLORY)
    funding.revoke(client_id=vera.pk, public_id=dora.public_id, now=after(hours=1.5), actor="tests")
    refunds.queue_due(now=after(hours=1.5))
    refund = Refund.objects.get()
    with db.operation():
        send = sends.journal(
            [asked(refund)], policy=PrivacyPolicy.RECIPIENTS, tip_height=9, now=after(hours=1.5)
        )
        sends.carry(refund, to=RefundStatus.SENDING, now=after(hours=1.5), send=send)
    sends.move(send, to=SendStatus.SENT, now=after(hours=1.6), txids=["a" * 64])


def found_after(statements: str) -> list[str]:
    """Return the names of what is violated after statements that are rolled back."""
    with transaction.atomic():
        db.execute(statements)
        names = [each.name for each in audit.invariants() if audit.violations(each)]
        transaction.set_rollback(True)
    return names


def test_names_each_invariant_that_is_broken(world: User) -> None:
    mallory = make_client("mallory")
    who = {
        f"{name}_id": f"SELECT id FROM zcash_permission WHERE wallet_address = '{name}'"
        for name in ("alice",)
    }
    who |= {name: f"wallet_address = '{name}'" for name in ("alice", "bob")}
    who["erin"] = "wallet_address = '0xerin'"
    late = after(hours=1.9).isoformat()
    assert books.violations() == []
    assert found_after(f"SET LOCAL paygo.audit_late = '{late}'") == []
    db.execute(_UNGUARDED)

    found = {
        name: found_after(
            f"SET LOCAL paygo.audit_late = '{late}';" + statement.format(mallory_id=mallory.pk, **who)
        )
        for name, statement in BROKEN.items()
    }

    assert [name for name in BROKEN if not any(each.startswith(name) for each in found[name])] == []


_COLUMNS = "kind, debit, debit_of, credit, credit_of, asset, amount_units, cause_id, at, booked_at"
# What the platform or the network gets too little of, while all accounts still add up.
FEES = {
    "a share is missing": ("L3", "DELETE FROM billing_transfer WHERE kind = 'fee' AND asset = 'ZEC'"),
    "a share is too small": (
        "L3",
        "UPDATE billing_transfer SET amount_units = amount_units - 1 WHERE kind = 'fee' AND asset = 'ZEC'",
    ),
    "a token's share is missing": (
        "L3",
        "DELETE FROM billing_transfer WHERE kind = 'fee' AND asset <> 'ZEC'",
    ),
    "a network's fee is too small": (
        "L6",
        (
            "UPDATE billing_transfer SET amount_units = amount_units"
            " + CASE kind WHEN 'refund_fee' THEN -1 ELSE 1 END WHERE kind IN ('refund_fee', 'refund_paid')"
        ),
    ),
    "a second try has no network's fee": (
        "L6",
        f"""
        INSERT INTO billing_transfer ({_COLUMNS})
        SELECT 'refund_returned', 'wallet', 0, 'refund', t.debit_of, t.asset, r.amount_zat, r.id, t.at, t.at
        FROM billing_transfer t JOIN billing_refund r ON r.id = t.cause_id WHERE t.kind = 'refund_paid'
        UNION ALL
        SELECT 'refund_paid', 'refund', t.debit_of, 'wallet', 0, t.asset, r.amount_zat, r.id, t.at, t.at
        FROM billing_transfer t JOIN billing_refund r ON r.id = t.cause_id WHERE t.kind = 'refund_paid'
        """,
    ),
}


# What no sum tells of: whose it says it was, and of what.
ASTRAY = {
    "another refund is named": "UPDATE billing_transfer SET cause_id = 0 WHERE kind = 'refund'",
    "it was paid in another money": "UPDATE billing_transfer SET asset = 'USD' WHERE kind = 'refund_paid'",
    "it came to a wallet of somebody's": "UPDATE billing_transfer SET debit_of = 1 WHERE kind = 'deposit'",
}


@pytest.mark.parametrize("what", ASTRAY)
def test_a_transfer_goes_astray(world: User, what: str) -> None:
    db.execute(_UNGUARDED)

    assert [name.split()[0] for name in found_after(ASTRAY[what])] == ["L15"]


@pytest.mark.parametrize("what", FEES)
def test_misses_a_fee(world: User, what: str) -> None:
    letter, statement = FEES[what]
    db.execute(_UNGUARDED)

    assert [name.split()[0] for name in found_after(statement)] == [letter]


def test_every_invariant_is_broken_above() -> None:
    names = [each.name for each in audit.invariants()]

    assert [name for name in names if not any(name.startswith(known) for known in BROKEN)] == []
    assert len(set(names)) == len(names) == len(BROKEN)


def test_the_file_can_be_run_by_psql_too() -> None:
    statements = [re.sub(r"--.*", "", each.query).rstrip() for each in audit.invariants()]

    assert [each for each in statements if not each.endswith(";")] == []


def test_the_next_event_of_several_meters_is_judged_to_the_millisecond(world: User) -> None:
    bob = SpendingPermission.objects.get(wallet_address="bob")
    assert bob.settled_at is not None
    depletes = depletes_ms(
        transactions.meters(transactions.running_on(bob)),
        remaining=bob.remaining_zat,
        settled_ms=clock.to_ms(bob.settled_at),
    )
    assert depletes is not None

    def found_at(ms: int) -> list[str]:
        moment = clock.from_ms(ms).isoformat()
        return found_after(f"UPDATE zcash_permission SET next_event_at = '{moment}' WHERE id = {bob.pk}")

    assert found_at(depletes) == []
    assert found_at(depletes + 1) == ["I4 nothing happens by itself before a permission's next event"]


def test_the_command_prints_each_invariant_and_how_long_it_took(world: User) -> None:
    out = StringIO()

    call_command("audit", "--at-rest", stdout=out)

    lines = out.getvalue().splitlines()
    assert lines[-1] == f"The books are right ({len(audit.invariants())} invariants)."
    assert all(re.match(r"holds +\d+\.\d{3} s  [IL]\d", line) for line in lines[:-1])


def test_the_command_fails_naming_what_is_broken(world: User) -> None:
    db.execute("UPDATE zcash_permission SET remaining_zat = remaining_zat - 1 WHERE wallet_address = 'bob'")
    out, bob = StringIO(), SpendingPermission.objects.get(wallet_address="bob")

    with pytest.raises(CommandError, match="I1 what was credited is used, open or left; I1 all that"):
        call_command("audit", "--at-rest", stdout=out)

    assert f"id={bob.pk}, " in out.getvalue()
    db.execute("UPDATE zcash_permission SET remaining_zat = remaining_zat + 1 WHERE wallet_address = 'bob'")


def test_the_command_writes_json(world: User) -> None:
    out = StringIO()

    call_command("audit", "--at-rest", "--json", stdout=out)

    told = json.loads(out.getvalue())
    assert told["right"] is True
    assert [each["name"] for each in told["invariants"]] == [each.name for each in audit.invariants()]
    assert {len(each["violations"]) for each in told["invariants"]} == {0}


# What is late is asked until the transaction ends.
@pytest.mark.unbalanced
def test_the_command_asks_whether_the_interval_runs(world: User) -> None:
    """The world stands still since long ago: right to the zatoshi, and late."""
    with pytest.raises(
        CommandError, match=r"I6 no event is long past; I10 everything that runs was settled; I6"
    ):
        call_command("audit", stdout=StringIO())
