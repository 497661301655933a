# pragma version 0.4.3
# pragma optimize gas
# pragma evm-version cancun
"""
@title A token for development and tests, with the odd ways of real ones
@license MIT
@notice Anybody mints. `ways`: 1 returns nothing, 2 returns false instead of failing, 4 keeps 1 % of a transfer,
8 has a list of blocked wallets, 16 burns all its gas for a blocked wallet.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

RETURNS_NOTHING: constant(uint256) = 1
RETURNS_FALSE: constant(uint256) = 2
TAKES_FEE: constant(uint256) = 4
BLOCKS: constant(uint256) = 8
BURNS: constant(uint256) = 16
PERMIT_TYPE_HASH: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)

name: public(constant(String[12])) = "Test dollars"
symbol: public(String[8])
decimals: public(immutable(uint8))
ways: public(immutable(uint256))
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])
totalSupply: public(uint256)
blocked: public(HashMap[address, bool])


@deploy
def __init__(symbol_: String[8], decimals_: uint8, ways_: uint256):
    self.symbol = symbol_
    decimals = decimals_
    ways = ways_


@external
def mint(receiver: address, amount: uint256):
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@external
def block_wallet(wallet: address, is_blocked: bool):
    self.blocked[wallet] = is_blocked


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
@raw_return
def transfer(receiver: address, amount: uint256) -> Bytes[32]:
    return self._answer(self._move(msg.sender, receiver, amount))


@external
@raw_return
def transferFrom(owner: address, receiver: address, amount: uint256) -> Bytes[32]:
    allowed: uint256 = self.allowance[owner][msg.sender]
    if allowed < amount:
        return self._answer(False)
    moved: bool = self._move(owner, receiver, amount)
    if moved:
        self.allowance[owner][msg.sender] = allowed - amount
    return self._answer(moved)


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    assert block.timestamp <= deadline, "too late"
    signed: bytes32 = keccak256(
        abi_encode(PERMIT_TYPE_HASH, owner, spender, amount, self.nonces[owner], deadline)
    )
    digest: bytes32 = keccak256(concat(b"\x19\x01", self._domain(), signed))
    signer: address = ecrecover(digest, convert(v, uint256), convert(r, uint256), convert(s, uint256))
    assert signer == owner and signer != empty(address), "not signed"
    self.nonces[owner] += 1
    self.allowance[owner][spender] = amount
    log Approval(owner=owner, spender=spender, value=amount)


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return self._domain()


@external
@pure
def version() -> String[1]:
    return "1"


@internal
@view
def _domain() -> bytes32:
    return keccak256(
        abi_encode(
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak256("Test dollars"),
            keccak256("1"),
            chain.id,
            self,
        )
    )


@internal
def _move(owner: address, receiver: address, amount: uint256) -> bool:
    if self.balanceOf[owner] < amount:
        return False
    if ways & BLOCKS != 0 and self.blocked[owner]:
        assert ways & BURNS == 0, UNREACHABLE
        return False
    fee: uint256 = amount // 100 if ways & TAKES_FEE != 0 else 0
    self.balanceOf[owner] -= amount
    self.balanceOf[receiver] += amount - fee
    log Transfer(sender=owner, receiver=receiver, value=amount - fee)
    if fee != 0:
        self.totalSupply -= fee
        log Transfer(sender=owner, receiver=empty(address), value=fee)
    return True


@internal
@view
def _answer(moved: bool) -> Bytes[32]:
    if not moved:
        assert ways & RETURNS_FALSE != 0, "not moved"
        return abi_encode(False)
    if ways & RETURNS_NOTHING != 0:
        return b""
    return abi_encode(True)
