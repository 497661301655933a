"""The nonces of the service's key: one sequence, which the journal must know as far as the chain does."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from django.db.models import Max

from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnavailable, ConfigurationUnfit
from billing.ethereum.keys import Key
from billing.models_ethereum import ChainKey, ChainSend
from core import db
from core.db import advisory_number, execute, operation, require_transaction

log = structlog.get_logger(__name__)


@contextmanager
def alone(chain: Chain) -> Iterator[bool]:
    """Keep every other process from sending on a chain; yield False where one of them does just now.

    The lock is the connection's, not a transaction's: the node is asked meanwhile.
    """
    with db.alone(f"ethereum collector {chain.chain_id}") as first:
        yield first


def hold(chain: Chain, key: Key) -> None:
    """Let nobody else give this key's nonces until the transaction ends; a step."""
    require_transaction()
    number = advisory_number(f"ethereum nonces {chain.chain_id} {key.address}")
    execute("SELECT pg_advisory_xact_lock(%(number)s)", {"number": number})


def require_caught_up(chain: Chain, key: Key, *, chain_nonce: int) -> None:
    """Refuse a node that does not know yet what was found final: what it says of wallets is old as well.

    Raises:
        ChainUnavailable: it is behind.
    """
    final = ChainSend.objects.filter(
        chain_id=chain.chain_id, sender=key.address, finished_at__isnull=False
    ).aggregate(last=Max("nonce"))["last"]
    if final is not None and chain_nonce <= final:
        raise ChainUnavailable(
            f"the node of {chain.name} is behind: it knows {chain_nonce} transactions of the key, and "
            f"{final + 1} were final already"
        )


def adopt(chain: Chain, key: Key, *, chain_nonce: int, reason: str, now: datetime) -> int:
    """Let the journal of a key go on from the chain's count, on an operator's word; return its next nonce.

    Raises:
        ConfigurationUnfit: the journal knows as many transactions as the chain: there is nothing to accept.
    """
    with operation():
        hold(chain, key)
        if chain_nonce <= (count := known(chain, key)):
            raise ConfigurationUnfit(f"the journal knows {count} transactions of the key already")
        ChainKey.objects.update_or_create(
            chain_id=chain.chain_id,
            address=key.address,
            defaults={"next_nonce": chain_nonce, "adopted_at": now, "reason": reason},
        )
    log.warning("chain_nonce_adopted", chain=chain.name, nonce=chain_nonce, journal=count, reason=reason)
    return chain_nonce


def following(chain: Chain, key: Key, *, chain_nonce: int) -> int:
    """Return the nonce after all that the journal knows; it must know all that the chain does.

    An empty journal knows of none: after a restore it may have forgotten collections that were paid.
    """
    count = known(chain, key)
    if chain_nonce > count:
        raise ConfigurationUnfit(
            f"{chain.name} has {chain_nonce} transactions of the key {key.address}, the journal {count}: "
            "somebody else sends with it, or the database is older than the chain. Nothing is sent until an "
            "operator has compared them (docs/operators/ethereum.md) and accepts that by "
            f"`manage.py collect --adopt-nonce {chain.chain_id}`"
        )
    return count


def known(chain: Chain, key: Key) -> int:
    """Return how many transactions of a key are written, or accepted by an operator's word."""
    written = ChainSend.objects.filter(chain_id=chain.chain_id, sender=key.address)
    last = written.aggregate(last=Max("nonce"))["last"]
    adopted = ChainKey.objects.filter(chain_id=chain.chain_id, address=key.address).first()
    return max(0 if last is None else int(last) + 1, adopted.next_nonce if adopted else 0)
