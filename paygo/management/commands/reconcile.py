"""`manage.py reconcile`: what the wallet has paid and the database does not know."""

import contextlib
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import outgoing, sends
from billing.errors import SendsHalted
from core import clock, db
from core.errors import Unavailable
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

    def handle(self, *_args: Any, explain: str | None, reason: str, **_options: Any) -> None:
        """Look at the wallet, list what is not explained, exit with 1 if anything is."""
        if explain and not reason.strip():
            raise CommandError("Give a --reason: it is kept with the transaction.")
        halted = self._check(explain, reason=reason.strip())
        for each in outgoing.unexplained():
            self.stdout.write(f"{each.txid}  first seen {each.first_seen_at:%Y-%m-%d %H:%M}")
            for payment in each.payments:
                self.stdout.write(f"    {payment['amount_zat']} zat to {payment['address']}")
        if halted:
            raise CommandError(f"Sending is halted: {halted}")
        self.stdout.write("The journal knows everything that the account has paid.")

    def _check(self, explain: str | None, *, reason: str) -> str:
        try:
            with db.alone("wallet sends") as first:
                if not first:
                    raise CommandError("A refund round is running; try again in a moment.")
                self._compare(connect(), explain=explain, reason=reason)
        except SendsHalted as error:
            return error.detail
        except Unavailable as error:
            raise CommandError(str(error)) from error
        return ""

    def _compare(self, wallet: WalletPort, *, explain: str | None, reason: str) -> None:
        if explain and not outgoing.point_out(explain, wallet=wallet, now=clock.now()):
            raise CommandError(f"The wallet does not know a transaction {explain}.")
        sends.follow_all(wallet=wallet, now=clock.now())
        status = watch.ready_status(wallet)
        chain = watch.pin(status)
        if status.locked:
            raise CommandError("The wallet is repairing its view of the chain; try again later.")
        if sends.in_flight():
            # Its transaction would look like one that nobody knows.
            raise CommandError("A refund is being sent, or its outcome is not known yet; try again later.")
        if explain:
            # First whether it pays a refund that waits: an explanation would let that be paid again.
            with contextlib.suppress(SendsHalted):
                outgoing.check(wallet=wallet, status=status, chain=chain, now=clock.now())
            self._explain(explain, reason=reason)
        outgoing.check(wallet=wallet, status=status, chain=chain, now=clock.now())

    def _explain(self, txid: str, *, reason: str) -> None:
        if sends.accounted_for([txid]):
            self.stdout.write(f"{txid} is known: it needs no explanation.")
        elif outgoing.explain(txid, explanation=reason, now=clock.now()):
            self.stdout.write(f"{txid} is explained.")
