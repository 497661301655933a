"""`manage.py reconcile`: what the wallet has paid and the database does not know."""

import contextlib
import re
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from billing import outgoing, sends
from billing.errors import SendsHalted
from core import clock, db
from core.errors import Conflict, Unavailable
from zcash import watch
from zcash.node import connect
from zcash.node.port import WalletPort


class Command(BaseCommand):
    """Lists transactions that stop all sending, and takes a person's explanation of one."""

    help = (
        "Compares what the wallet's account has paid with the journal. A transaction that the journal does "
        "not know stops all refunds until it is explained. Exit code 1 while one is not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--explain", metavar="TXID", help="a transaction that is accounted for, listed here or not"
        )
        parser.add_argument("--reason", default="", help="what it was, for the record")
        parser.add_argument(
            "--settles",
            metavar="REFUND",
            type=UUID,
            action="append",
            default=[],
            help="a refund that waits and that the transaction has paid, in whatever amount; may be repeated",
        )
        parser.add_argument(
            "--anyway",
            action="store_true",
            help="explain it although it may have paid what is paid again then",
        )

    def handle(self, *_args: Any, explain: str | None, **options: Any) -> None:
        """Look at the wallet, list what is not explained, exit with 1 if anything is."""
        if explain and not options["reason"].strip():
            raise CommandError("Give a --reason: it is kept with the transaction.")
        if explain and not re.fullmatch(r"[0-9a-f]{64}", explain):
            raise CommandError("A txid is 64 hexadecimal digits in lower case.")
        halted = self._check(explain, options)
        for each in outgoing.unexplained():
            self.stdout.write(f"{each.txid}  first seen {each.first_seen_at:%Y-%m-%d %H:%M}")
            for payment in each.payments:
                self.stdout.write(f"    {payment['amount_zat']} zat to {payment['address']}")
            for claim in outgoing.claims(each.txid):
                self.stdout.write(f"    {claim}")
        if halted:
            raise CommandError(f"Sending is halted: {halted}")
        self.stdout.write("The journal knows everything that the account has paid.")

    def _check(self, explain: str | None, options: dict[str, Any]) -> str:
        try:
            with db.alone("wallet sends") as first:
                if not first:
                    raise CommandError("A refund round is running; try again in a moment.")
                self._compare(connect(), explain, options)
        except SendsHalted as error:
            return error.detail
        except Unavailable as error:
            raise CommandError(str(error)) from error
        return ""

    def _compare(self, wallet: WalletPort, explain: str | None, options: dict[str, Any]) -> None:
        status = watch.ready_status(wallet)
        chain = watch.pin(status)
        height = status.height
        if explain and not outgoing.point_out(explain, wallet=wallet, tip_height=height, now=clock.now()):
            raise CommandError(f"The wallet does not know a transaction {explain}.")
        sends.follow_all(wallet=wallet, now=clock.now())
        if status.locked:
            raise CommandError("The wallet is repairing its view of the chain; try again later.")
        if sends.in_flight():
            # Its transaction would look like one that nobody knows.
            raise CommandError("A refund is being sent, or its outcome is not known yet; try again later.")
        if explain:
            # First whether it pays a refund that waits: an explanation would let that be paid again.
            with contextlib.suppress(SendsHalted):
                outgoing.check(wallet=wallet, status=status, chain=chain, now=clock.now())
            self._explain(explain, options, tip_height=height)
        outgoing.check(wallet=wallet, status=status, chain=chain, now=clock.now())

    def _explain(self, txid: str, options: dict[str, Any], *, tip_height: int) -> None:
        now = clock.now()
        if sends.accounted_for([txid]):
            self.stdout.write(f"{txid} is known: it needs no explanation.")
            return
        if options["settles"]:
            try:
                outgoing.settle(txid, refund_ids=options["settles"], tip_height=tip_height, now=now)
            except Conflict as error:
                raise CommandError(str(error)) from error
        elif (claims := outgoing.claims(txid)) and not options["anyway"]:
            raise CommandError(
                f"{txid} may have paid what would be paid again: {'; '.join(claims)}. Revoke such a "
                "permission and run this again, name the refund that it paid with --settles, or insist with "
                "--anyway."
            )
        if outgoing.explain(txid, explanation=options["reason"].strip(), now=now):
            self.stdout.write(f"{txid} is explained.")
