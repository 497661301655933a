"""The exports of the ledger add up as those read them who keep books in plain text."""

import csv
import re
from collections import Counter
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command

from billing import engine, ledger
from billing.ledger_export import FORMATS
from billing.ledger_models import Transfer
from core.amounts import zec
from sessions_app.models import Vendor
from tests.factories import ZEC, after, make_active_permission, make_client, make_vendor, stream

pytestmark = pytest.mark.django_db

_POSTING = re.compile(r"^ +([A-Za-z0-9:]+) +(-?[0-9.]+) ZEC$", re.MULTILINE)


@pytest.fixture(autouse=True)
def books() -> None:
    """A payment, and a stream on the next day of which the platform takes a tenth."""
    vera = make_client()
    make_vendor(vera)
    Vendor.objects.update(fee_bps=1_000)
    make_active_permission(vera, rate=ZEC)
    code = stream(vera, now=after(hours=30))
    engine.end(code, client_id=vera.pk, now=after(hours=31, ms=1))


def export(form: str, *options: str) -> str:
    out = StringIO()
    call_command("exportledger", "--format", form, *options, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("form", ["hledger", "beancount"])
def test_every_entry_adds_up_to_nothing_and_all_of_them_to_the_balances(form: str) -> None:
    text = export(form)

    entries = [_POSTING.findall(part) for part in re.split(r"(?m)^(?=\d{4}-)", text)]
    amounts = [[Decimal(amount) for _, amount in entry] for entry in entries if entry]
    assert len(amounts) == Transfer.objects.count() == 3
    assert all(len(entry) == 2 and sum(entry) == 0 for entry in amounts)
    found: Counter[str] = Counter()
    for entry in entries:
        for name, amount in entry:
            found[name.split(":")[1].lower()] -= Decimal(amount)  # type: ignore[assignment]
    assert found == {account.value: zec(units) for (account, _), units in ledger.totals().items()}


def test_beancount_opens_each_account_once_before_its_first_entry() -> None:
    lines = export("beancount").splitlines()

    opened = [line.split()[2] for line in lines if " open " in line]
    used = {name for name, _ in _POSTING.findall("\n".join(lines))}
    assert sorted(opened) == sorted(used)
    assert all(
        lines.index(next(line for line in lines if f"open {name}" in line))
        < next(number for number, line in enumerate(lines) if line.startswith(f"  {name} "))
        for name in opened
    )


@pytest.mark.parametrize(
    ("form", "symbol", "named"),
    [
        ("hledger", "stETH", "stETH"),
        ("hledger", "USDC.e", '"USDC.e"'),
        ("hledger", "1INCH", '"1INCH"'),
        ("beancount", "stETH", "STETH"),
        ("beancount", "USDC.e", "USDC.E"),
        ("beancount", "1INCH", "X1INCH"),
        ("beancount", "USD+", "USD2B"),
    ],
)
def test_a_token_is_named_as_the_format_can_have_it(form: str, symbol: str, named: str) -> None:
    charge = Transfer(
        kind="chain_charge",
        debit="authorization",
        debit_of=1,
        credit="vendor",
        credit_of=1,
        asset=symbol,
        amount_units=7,
        cause_id=1,
        at=after(hours=1),
        booked_at=after(hours=1),
    )

    text = "".join(FORMATS[form](iter([charge])))

    assert re.findall(r"(?m) (-?7 .*)$", text) == [f"7 {named}", f"-7 {named}"]


def test_csv_has_every_transfer() -> None:
    table = list(csv.DictReader(StringIO(export("csv"))))

    assert [int(row["amount_units"]) for row in table] == list(
        Transfer.objects.order_by("id").values_list("amount_units", flat=True)
    )
    assert [row["kind"] for row in table] == ["deposit", "charge", "fee"]


def test_a_period_is_one_of_booking() -> None:
    first = export("csv", "--until", "2026-01-02")
    rest = export("csv", "--since", "2026-01-02", "--until", "2026-01-03")

    assert [line.split(",")[3] for line in first.splitlines()] == ["kind", "deposit"]
    assert [line.split(",")[3] for line in rest.splitlines()] == ["kind", "charge", "fee"]
