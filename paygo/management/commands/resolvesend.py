"""`manage.py resolvesend CHAIN_ID NONCE`: an operator says what became of a collection."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.ethereum import chains, lost, statuses
from billing.ethereum.rpc import connect
from billing.models_ethereum import ChainSend
from core import clock
from core.errors import DomainError


class Command(BaseCommand):
    help = "Say what has paid a plain collection whose nonce went to another transaction (`nonce_taken`)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("chain_id", type=int)
        parser.add_argument("nonce", type=int)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--paid-by", metavar="TX_HASH", help="this transaction has paid the debt, or a part"
        )
        which.add_argument("--unpaid", action="store_true", help="nothing has: the debt is collected anew")
        parser.add_argument("--reason", required=True, help="who says so, and from what")

    def handle(
        self, *args: Any, chain_id: int, nonce: int, paid_by: str | None, reason: str, **options: Any
    ) -> None:
        if not reason.strip():
            raise CommandError("Say who says so and from what: --reason TEXT.")
        send = ChainSend.objects.filter(
            chain_id=chain_id, nonce=nonce, reason=lost.NONCE_TAKEN, status__in=statuses.FOLLOWED
        ).first()
        if send is None:
            raise CommandError(f"no transaction of nonce {nonce} on chain {chain_id} waits for an operator")
        try:
            if paid_by is None:
                lost.lose(send, reason=reason, now=clock.now())
                self.stdout.write("its debt is collected anew")
                return
            chain = chains.chain(chain_id)
            paid = lost.paid_by(connect(chain), chain, send, paid_by.lower(), reason=reason)
            self.stdout.write(f"{paid} units are paid by it; the next round books them")
        except DomainError as error:
            raise CommandError(str(error)) from error
