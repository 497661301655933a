"""What a monitor reads of the money."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from billing.ledger_models import Reconciliation
from billing.models import ForeignSend, SendGuard
from core import clock
from tests.factories import ZEC

pytestmark = pytest.mark.django_db

_LINE = re.compile(r'[a-z_]+(\{of="[a-z_]+"\})? -?[0-9.e+]+')


def metrics() -> dict[str, float]:
    """Return the metrics as Prometheus reads them; each has its help and its type before it."""
    out = StringIO()
    call_command("metrics", stdout=out)
    *lines, last = out.getvalue().split("\n")
    assert last == ""
    told = [line for line in lines if not line.startswith("#")]
    assert [line for line in told if not _LINE.fullmatch(line)] == []
    for name in {re.split(r"[{ ]", line)[0] for line in told}:
        assert [line.split()[1:3] for line in lines if line.startswith(f"# TYPE {name} ")] == [["TYPE", name]]
        assert any(line.startswith(f"# HELP {name} ") for line in lines)
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in told)}


def test_tells_nothing_of_books_that_were_never_compared() -> None:
    told = metrics()

    assert told["paygo_books_overdue"] == told["paygo_sending_halted"] == 0
    assert told["paygo_billing_late"] == 1
    assert "paygo_books_right" not in told


def test_tells_what_the_last_comparison_found() -> None:
    parts = {"permissions": 2 * ZEC, "vendors_available": ZEC, "under_way": 7, "difference": -ZEC}
    Reconciliation.objects.create(
        at=clock.now(),
        owed_zat=3 * ZEC,
        booked_zat=4 * ZEC,
        holdings_zat=3 * ZEC,
        parts=parts,
        findings=["x"],
    )

    told = metrics()

    assert (told["paygo_books_right"], told["paygo_books_findings"]) == (0, 1)
    assert (told["paygo_books_wallet_zat"], told["paygo_wallet_zat"]) == (4 * ZEC, 3 * ZEC)
    assert told['paygo_owed_zat{of="permissions"}'] == 2 * ZEC
    assert told['paygo_books_apart_zat{of="difference"}'] == -ZEC
    assert abs(told["paygo_books_compared_timestamp_seconds"] - clock.now().timestamp()) < 600
    assert 'paygo_owed_zat{of="under_way"}' not in told


def test_tells_what_stops_all_sending() -> None:
    SendGuard.objects.create(pk=1, checked_height=1, halted="somebody paid by hand")
    ForeignSend.objects.create(txid="ab" * 32, payments=[], seen_height=1, first_seen_at=clock.now())

    told = metrics()

    assert (told["paygo_sending_halted"], told["paygo_unexplained_transactions"]) == (1, 1)


def test_replaces_the_file_that_an_exporter_reads(tmp_path: Path) -> None:
    file = tmp_path / "paygo.prom"
    file.write_text("old")

    call_command("metrics", output=file)

    assert "# TYPE paygo_billing_late gauge\n" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]
