"""`manage.py setvendorpayouts CLIENT VENDOR_ID`: the platform's share, and how a vendor is paid."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import payouts
from billing.operators import Word
from core import clock
from core.amounts import AmountError, parse_zec, zec_text
from paygo.management import operating
from sessions_app import queries
from sessions_app.models import Vendor
from sessions_app.rules import PayoutSchedule
from zcash.wallets import viewers_wallet


class Command(BaseCommand):
    """Changes what is given, and shows all of it."""

    help = (
        "Sets the platform's share of what a vendor earns from now on, and where, when and from which amount "
        "on he is paid; without options it shows them. Another address is not paid before its delay is over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("client", help="the client's user name")
        parser.add_argument("vendor_id")
        parser.add_argument("--fee-bps", type=int, help="the platform's share in hundredths of a percent")
        parser.add_argument("--address", help="where he is paid; `none`: nowhere")
        parser.add_argument("--schedule", choices=[each.value for each in PayoutSchedule])
        parser.add_argument("--minimum", help="the least that is paid by schedule, in ZEC")
        operating.add_word(parser, reason="manage.py setvendorpayouts")
        operating.add_trial(parser)

    def handle(self, *_args: Any, client: str, vendor_id: str, dry_run: bool, **options: Any) -> None:
        """Change, and show."""
        word = operating.word_of(options)
        with operating.told():
            vendor = queries.find_vendor(client_id=operating.user(client).pk, slug=vendor_id)
            changes = _read(options)
            if changes and not dry_run:
                vendor = _change(vendor, changes, word=word)
        self._tell(vendor, as_json=options["json"])

    def _tell(self, vendor: Vendor, *, as_json: bool) -> None:
        told = {
            "vendor_id": vendor.slug,
            "fee_bps": vendor.fee_bps,
            "payout_address": vendor.payout_address,
            "payout_not_before": vendor.payout_not_before and vendor.payout_not_before.isoformat(),
            "payout_schedule": str(vendor.payout_schedule),
            "payout_minimum": zec_text(payouts.minimum_zat(vendor)),
        }
        if as_json:
            self.stdout.write(json.dumps(told))
            return
        for name, value in told.items():
            self.stdout.write(f"{name}: {'-' if value is None else value}")


def _read(options: dict[str, Any]) -> dict[str, Any]:
    """Return what is given, as the domain has it."""
    changes = {name: options[name] for name in ("fee_bps", "schedule") if options[name] is not None}
    if options["minimum"] is not None:
        try:
            changes["minimum_zat"] = parse_zec(options["minimum"])
        except AmountError as error:
            raise CommandError(f"--minimum {error}") from error
    if options["address"] == "none":
        changes["address"] = None
    elif options["address"] is not None:
        changes["address"] = viewers_wallet(options["address"], field="address")
    return changes


def _change(vendor: Vendor, changes: dict[str, Any], *, word: Word) -> Vendor:
    return payouts.set_terms(
        vendor.slug,
        client_id=vendor.client_id,
        address=changes.get("address", vendor.payout_address),
        schedule=PayoutSchedule(changes.get("schedule", vendor.payout_schedule)),
        minimum_zat=changes.get("minimum_zat", vendor.payout_minimum_zat),
        fee_bps=changes.get("fee_bps"),
        word=word,
        now=clock.now(),
    )
