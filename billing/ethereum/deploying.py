"""Putting a contract on a chain: an operator's affair, before the chain is used; it is in no journal."""

import time
from datetime import datetime

from billing.ethereum import addresses, fees, nonces
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnavailable, ConfigurationUnfit
from billing.ethereum.keys import Key
from billing.ethereum.rpc import SendRefused, connect

_GAS = 3_000_000
_PATIENCE_S = 120.0


def deploy(chain: Chain, key: Key, code: bytes, *, now: datetime) -> str:
    """Deploy a contract and wait for its block; return its address. No collector sends meanwhile.

    A journal that knew all of the key's transactions is told of this one.

    Raises:
        ConfigurationUnfit: another key or chain, gas above the cap or unpaid, a failing constructor, or
            collections on their way, whose nonce it would take.
        ChainUnavailable: the node is away, or the block does not come; or a collector does not pause.
    """
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        with nonces.alone(chain) as first:
            if first:
                return _deploy(chain, key, code, now=now)
        time.sleep(0.5)
    raise ChainUnavailable(f"a collector is busy with {chain.name}: stop it, and deploy then")


def _deploy(chain: Chain, key: Key, code: bytes, *, now: datetime) -> str:
    rpc = connect(chain)
    if key.address != chain.service or rpc.chain_id() != chain.chain_id:
        raise ConfigurationUnfit("the key or the node is not what the configuration says")
    offered = fees.current(rpc, chain)
    if offered is None:
        raise ConfigurationUnfit(f"gas is above max_fee_gwei of {chain.name}")
    nonce, known = rpc.nonce(key.address), nonces.known(chain, key)
    if known > nonce:
        raise ConfigurationUnfit("transactions of the key wait to be mined: deploy when they are")
    raw, tx_hash = key.sign(
        {
            "type": 2,
            "chainId": chain.chain_id,
            "nonce": nonce,
            "value": 0,
            "data": "0x" + code.hex(),
            "gas": _GAS,
            "maxFeePerGas": offered.max_fee_wei,
            "maxPriorityFeePerGas": offered.priority_fee_wei,
        }
    )
    try:
        rpc.broadcast(raw)
    except SendRefused as error:
        raise ConfigurationUnfit(f"the node refuses it: {error}") from error
    address = _mined(chain, key, tx_hash, nonce=nonce)
    if known == nonce:
        nonces.adopt(chain, key, chain_nonce=nonce + 1, reason=f"deployed {address}", now=now)
    return address


def _mined(chain: Chain, key: Key, tx_hash: str, *, nonce: int) -> str:
    rpc, until = connect(chain), time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if receipt := rpc.receipt(tx_hash):
            if not receipt.succeeded:
                raise ConfigurationUnfit("the contract could not be made")
            return contract_address(key.address, nonce)
        time.sleep(0.5)
    raise ChainUnavailable(f"{tx_hash} is in no block yet: look at it later")


def contract_address(sender: str, nonce: int) -> str:
    """Return the address of the contract that a transaction of a key makes."""
    from eth_utils.crypto import keccak
    from rlp import encode  # type: ignore[import-untyped]

    made = keccak(encode([bytes.fromhex(sender[2:]), nonce]))[12:]
    return addresses.checksummed("0x" + bytes(made).hex())
