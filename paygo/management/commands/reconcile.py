"""`manage.py reconcile`: whether books, wallet and chain say the same of the money."""

import contextlib
import json
import re
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from billing import foreign, outgoing, reconciliation, sends
from billing.errors import SendsHalted
from billing.ledger_models import Reconciliation
from billing.reconciliation import Coverage
from core import clock, db
from core.amounts import zec_text
from core.errors import DomainError, Unavailable
from paygo.management import operating
from zcash import watch
from zcash.node import connect
from zcash.node.port import WalletPort

# Nobody can say whether the books are right: the wallet was away, or busy.
_UNTOLD = 2
_RIGHT = "The books are right, and the journal knows everything that the account has paid."
_RIGHT_BUT_NOT_SEARCHED = (
    "The books are right, and the wallet holds what they say. The chain was not searched for payments that "
    "the journal does not know: run it without --dry-run."
)


class Command(BaseCommand):
    """Compares books, wallet and chain, and takes a person's explanation of what nobody knows."""

    help = (
        "Proves that the ledger says what every table says, that the wallet holds all that is owed, and that "
        "the journal knows what the account has paid: what it does not know stops all sending until it is "
        "explained. Exit code 1 listing what is wrong, 2 where the wallet cannot tell."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--explain", metavar="TXID", help="a transaction that is accounted for, listed here or not"
        )
        parser.add_argument("--reason", default="", help="what it was, for the record")
        parser.add_argument("--operator", help="the user name of who says so; none: who runs this")
        parser.add_argument(
            "--settles",
            metavar="ID",
            type=UUID,
            action="append",
            default=[],
            help="a refund or payout that waits and that it has paid, or a part of it: the rest stays owed; "
            "may be repeated",
        )
        parser.add_argument(
            "--anyway",
            action="store_true",
            help="explain it although it may have paid what is paid again then",
        )
        parser.add_argument("--json", action="store_true", help="write one JSON document")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="change nothing: no send is followed, the chain is not searched, nothing is kept",
        )

    def handle(self, *_args: Any, explain: str | None, **options: Any) -> None:
        """Look at the wallet, list what is not explained, exit with 1 if anything is."""
        if explain and not options["reason"].strip():
            raise CommandError("Give a --reason: it is kept with the transaction.")
        if explain and not re.fullmatch(r"[0-9a-f]{64}", explain):
            raise CommandError("A txid is 64 hexadecimal digits in lower case.")
        if explain and options["dry_run"]:
            raise CommandError("--explain is for keeps: it does not go with --dry-run.")
        if not options["dry_run"]:
            self._check(explain, options)
        try:
            covered, found = reconciliation.compare(
                wallet=connect(), now=clock.now(), chain_searched=not options["dry_run"]
            )
        except Unavailable as error:
            raise CommandError(str(error), returncode=_UNTOLD) from error
        if not options["dry_run"]:
            found.save(force_insert=True)
        if options["json"]:
            self.stdout.write(_document(covered, found))
        else:
            self._print(covered)
        if found.findings:
            raise CommandError("\n".join(found.findings))
        if not options["json"]:
            self.stdout.write(_RIGHT if found.chain_searched else _RIGHT_BUT_NOT_SEARCHED)

    def _print(self, covered: Coverage) -> None:
        for each in foreign.unexplained():
            self.stdout.write(f"{each.txid}  first seen {each.first_seen_at:%Y-%m-%d %H:%M}")
            for payment in each.payments:
                self.stdout.write(f"    {payment['amount_zat']} zat to {payment['address']}")
            for claim in foreign.claims(each.txid):
                self.stdout.write(f"    {claim}")
        for account, zat in covered.owed.items():
            self.stdout.write(f"{zec_text(zat):>20} ZEC owed: {account} accounts")
        self.stdout.write(f"{zec_text(covered.owed_zat):>20} ZEC owed in all")
        self.stdout.write(f"{zec_text(covered.booked_zat):>20} ZEC in the wallet by the books")
        for zat, what in (
            (covered.incoming_zat, "seen and not credited yet"),
            (-covered.lost_zat, "gone from the chain and not taken back yet"),
            (-covered.unexplained_zat, "paid by transactions that nobody has explained"),
        ):
            if zat:
                self.stdout.write(f"{_signed(zat):>20} ZEC {what}")
        self.stdout.write(f"{zec_text(covered.holdings_zat or 0):>20} ZEC in the wallet by its own word")
        if covered.under_way_zat:
            under_way = zec_text(covered.under_way_zat)
            self.stdout.write(f"{under_way:>20} ZEC under way, in the wallet or not any more")
        self.stdout.write(
            f"{_signed(covered.difference_zat):>20} ZEC besides: your own and saved fees (+), spent fees (-)"
        )

    def _check(self, explain: str | None, options: dict[str, Any]) -> None:
        """Look at what the account has paid; what nobody knows is told by the comparison."""
        try:
            with db.alone("wallet sends") as first:
                if not first:
                    raise CommandError(
                        "A refund round is running; try again in a moment.", returncode=_UNTOLD
                    )
                with contextlib.suppress(SendsHalted):
                    self._compare(connect(), explain, options)
        except Unavailable as error:
            raise CommandError(str(error), returncode=_UNTOLD) from error

    def _compare(self, wallet: WalletPort, explain: str | None, options: dict[str, Any]) -> None:
        status = watch.ready_status(wallet)
        chain = watch.pin(status)
        height = status.height
        if explain and not foreign.point_out(explain, wallet=wallet, tip_height=height, now=clock.now()):
            raise CommandError(f"The wallet does not know a transaction {explain}.")
        sends.follow_all(wallet=wallet, now=clock.now())
        if status.locked:
            raise CommandError(
                "The wallet is repairing its view of the chain; try again later.", returncode=_UNTOLD
            )
        if sends.in_flight():
            # Its transaction would look like one that nobody knows.
            raise CommandError(
                "Money is being sent, or the outcome is not known yet; try again later.", returncode=_UNTOLD
            )
        if explain:
            # First whether it pays a refund that waits: an explanation would let that be paid again.
            with contextlib.suppress(SendsHalted):
                outgoing.check(wallet=wallet, status=status, chain=chain, now=clock.now())
            self._explain(explain, options, wallet=wallet, tip_height=height)
        outgoing.check(wallet=wallet, status=status, chain=chain, now=clock.now())

    def _explain(self, txid: str, options: dict[str, Any], *, wallet: WalletPort, tip_height: int) -> None:
        now = clock.now()
        if sends.accounted_for([txid]):
            self.stdout.write(f"{txid} is known: it needs no explanation.")
            return
        place = wallet.transaction(txid)
        if place is None or place.height is None:
            # It may expire yet, and what was booked of it would never have been paid.
            raise CommandError(f"{txid} is not mined yet: run this again when it is.")
        if not options["settles"] and (claims := foreign.claims(txid)) and not options["anyway"]:
            raise CommandError(
                f"{txid} may have paid what would be paid again: {'; '.join(claims)}. Revoke such a "
                "permission, ask for the payout of such a vendor, and run this again; name what it has paid "
                "with --settles, or insist with --anyway."
            )
        try:
            word = operating.word_of(options)
            told = foreign.explain(
                txid, settles=options["settles"], word=word, tip_height=tip_height, now=now
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        if told:
            self.stdout.write(f"{txid} is explained.")


def _signed(zat: int) -> str:
    return f"{'-' if zat < 0 else '+'}{zec_text(abs(zat))}"


def _document(covered: Coverage, found: Reconciliation) -> str:
    return json.dumps(
        {
            "right": found.is_right,
            "findings": found.findings,
            "at": found.at.isoformat(),
            "owed_zat": {account.value: zat for account, zat in covered.owed.items()},
            "booked_zat": covered.booked_zat,
            "holdings_zat": covered.holdings_zat,
            "under_way_zat": covered.under_way_zat,
            "missing_zat": covered.missing_zat,
            "incoming_zat": covered.incoming_zat,
            "lost_zat": covered.lost_zat,
            "unexplained_zat": covered.unexplained_zat,
            "difference_zat": covered.difference_zat,
            "chain_searched": found.chain_searched,
            "unexplained": [{"txid": each.txid, "payments": each.payments} for each in foreign.unexplained()],
        }
    )
