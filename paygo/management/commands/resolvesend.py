"""`manage.py resolvesend CHAIN_ID NONCE`: an operator says what became of a collection."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.ethereum import chains, lost, statuses
from billing.ethereum.rpc import connect
from billing.models_ethereum import ChainSend
from billing.operators import Word
from core import clock
from paygo.management import operating


class Command(BaseCommand):
    help = "Say what has paid a plain collection whose nonce went to another transaction (`nonce_taken`)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("chain_id", type=int)
        parser.add_argument("nonce", type=int)
        parser.add_argument(
            "--key", metavar="ADDRESS", help="whose nonce it is, where several keys wait with that one"
        )
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--paid-by", metavar="TX_HASH", help="this transaction has paid the debt, or a part"
        )
        which.add_argument("--unpaid", action="store_true", help="nothing has: the debt is collected anew")
        operating.add_word(parser)
        operating.add_trial(parser)

    def handle(
        self,
        *args: Any,
        chain_id: int,
        nonce: int,
        key: str | None,
        paid_by: str | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        word = operating.word_of(options)
        send = _waiting(chain_id, nonce, key=key)
        with operating.told():
            paid = _resolve(send, paid_by and paid_by.lower(), word=word, dry_run=dry_run)
        if options["json"]:
            told = {"chain_id": chain_id, "nonce": nonce, "key": send.sender, "dry_run": dry_run}
            self.stdout.write(json.dumps({**told, "paid_units": str(paid)}))
        elif dry_run:
            self.stdout.write(f"{paid} units would be paid by it; nothing was changed")
        elif paid_by is None:
            self.stdout.write("its debt is collected anew")
        else:
            self.stdout.write(f"{paid} units are paid by it; the next round books them")


def _waiting(chain_id: int, nonce: int, *, key: str | None) -> ChainSend:
    """Return the one transaction that is meant: each key of the service counts its own nonces."""
    found = ChainSend.objects.filter(
        chain_id=chain_id, nonce=nonce, reason=lost.NONCE_TAKEN, status__in=statuses.FOLLOWED
    )
    waiting = list(found.filter(sender__iexact=key) if key else found.order_by("sender"))
    which = f"nonce {nonce} on chain {chain_id}"
    if not waiting:
        whose = f" of the key {key}" if key else ""
        raise CommandError(f"no transaction of {which}{whose} waits for an operator")
    if len(waiting) > 1:
        keys = ", ".join(each.sender for each in waiting)
        raise CommandError(f"several keys wait with {which}; say which by --key: {keys}")
    return waiting[0]


def _resolve(send: ChainSend, paid_by: str | None, *, word: Word, dry_run: bool) -> int:
    """Return how much of a send is paid, written down unless it is only tried."""
    if paid_by is None:
        if not dry_run:
            lost.lose(send, reason=word.reason, now=clock.now(), word=word)
        return 0
    chain = chains.chain(send.chain_id)
    if dry_run:
        return lost.would_pay(connect(chain), chain, send, paid_by)
    return lost.paid_by(connect(chain), chain, send, paid_by, word=word, now=clock.now())
