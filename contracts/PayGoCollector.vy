# pragma version 0.4.3
# pragma optimize gas
# pragma evm-version cancun
"""
@title PayGo's collector
@license MIT
@notice Takes what viewers owe for streaming, from many wallets in one transaction, and pays the treasury.

Viewers give their token's allowance to this contract, and sign (EIP-712) how much it may ever take of it and
until when. Nobody but the service can call it, nothing goes anywhere but to the treasury, and whatever the
service says, no more is taken than was signed: a stolen service key is no loss to a viewer.

What it takes is told as the running total of an authorisation, not as an amount: to say it twice takes it once.
"""

# What the viewer has signed of a token, and what is due of it in all.
struct Charge:
    wallet: address
    limit: uint256
    collectableUntil: uint256
    # The hash (EIP-712) of what else was signed, which is for people and for the service: rate, last day of
    # streaming, nonce, whom it is for, consent.
    terms: bytes32
    total: uint256
    # Which of the call's signatures is this one's, counted from 1; 0: it has paid before.
    signature: uint256

# So many of a call's charges have paid what was due: all that are not among the refused. It is one event for all
# of them because one for each costs a thousand gas; `collected` says how much an authorisation has paid in all.
event Collected:
    charges: uint256

# Nothing was taken for the authorisation of this digest.
event Refused:
    digest: bytes32
    reason: uint256

event ServiceChanged:
    service: indexed(address)

# Why nothing was taken.
OVER_LIMIT: constant(uint256) = 1
TOO_LATE: constant(uint256) = 2
NOT_SIGNED: constant(uint256) = 3
NOTHING_DUE: constant(uint256) = 4
TOKEN_REFUSED: constant(uint256) = 5

MOST_CHARGES: constant(uint256) = 50
# What a contract wallet may spend on looking at a signature.
SIGNATURE_GAS: constant(uint256) = 100_000
# What a token may spend on moving what is due: one that burns gas for a hostile wallet leaves the others theirs.
TRANSFER_GAS: constant(uint256) = 200_000
# Both, their 64ths that a call cannot give on (EIP-150), and what is written besides.
CHARGE_GAS: constant(uint256) = 340_000
# The upper half of possible `s` is the same signature in another form (EIP-2).
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

TYPE_HASH: constant(bytes32) = keccak256(
    "SpendingAuthorization(address wallet,address token,uint256 limit,uint256 collectableUntil,Terms terms)Terms(uint256 ratePerHour,uint256 expiresAt,uint256 nonce,string reference,string consent)"
)
DOMAIN_TYPE_HASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

PREFIX: constant(Bytes[2]) = b"\x19\x01"

admin: public(immutable(address))
treasury: public(immutable(address))
service: public(address)
# What an authorisation has paid in all, by the digest that was signed. Above 0: its signature was good.
collected: public(HashMap[bytes32, uint256])


@deploy
def __init__(service: address, treasury_: address, admin_: address):
    assert service != empty(address) and treasury_ != empty(address) and admin_ != empty(address)
    self.service = service
    treasury = treasury_
    admin = admin_
    log ServiceChanged(service=service)


@external
def set_service(service: address):
    """
    @notice Let another key call `collect`; what viewers have signed stays as it is.
    """
    assert msg.sender == admin, "not the admin"
    assert service != empty(address), "nobody"
    self.service = service
    log ServiceChanged(service=service)


@external
@nonreentrant
def collect(token: address, charges: DynArray[Charge, MOST_CHARGES], signatures: DynArray[Bytes[320], MOST_CHARGES]):
    """
    @notice Take of each wallet what is due; one that cannot pay does not hold up the others.
    @param signatures Of those that have not paid before.
    """
    assert msg.sender == self.service, "not the service"
    assert token.is_contract, "not a token"
    domain: bytes32 = self._domain()
    number: uint256 = 0
    for i: uint256 in range(len(charges), bound=MOST_CHARGES):
        # Whoever is refused is so by its wallet or its token, never because the caller has given too little gas.
        assert msg.gas >= CHARGE_GAS, "too little gas"
        charge: Charge = charges[i]
        digest: bytes32 = keccak256(
            concat(
                PREFIX,
                domain,
                keccak256(
                    abi_encode(
                        TYPE_HASH, charge.wallet, token, charge.limit, charge.collectableUntil, charge.terms
                    )
                ),
            )
        )
        paid: uint256 = self.collected[digest]
        reason: uint256 = 0
        if charge.total > charge.limit:
            reason = OVER_LIMIT
        elif block.timestamp > charge.collectableUntil:
            reason = TOO_LATE
        elif charge.total <= paid:
            reason = NOTHING_DUE
        elif paid == 0 and (charge.signature == 0 or charge.signature > len(signatures)):
            reason = NOT_SIGNED
        elif paid == 0 and not self._is_signed(charge.wallet, digest, signatures[charge.signature - 1]):
            reason = NOT_SIGNED
        else:
            # Written first: whatever the token calls back finds it paid.
            self.collected[digest] = charge.total
            # Some tokens return nothing; some return false instead of failing.
            success: bool = False
            answer: Bytes[32] = b""
            success, answer = raw_call(
                token,
                abi_encode(
                    charge.wallet,
                    treasury,
                    unsafe_sub(charge.total, paid),
                    method_id=method_id("transferFrom(address,address,uint256)"),
                ),
                max_outsize=32,
                gas=TRANSFER_GAS,
                revert_on_failure=False,
            )
            if not success or (len(answer) != 0 and not (len(answer) == 32 and convert(answer, uint256) == 1)):
                self.collected[digest] = paid
                reason = TOKEN_REFUSED
        if reason == 0:
            number += 1
        else:
            log Refused(digest=digest, reason=reason)
    log Collected(charges=number)


@external
@view
def digest_of(token: address, charge: Charge) -> bytes32:
    """
    @notice The digest that the viewer signs (EIP-712); `total` and `signature` are no part of it.
    """
    return self._digest(self._domain(), token, charge)


@internal
@view
def _domain() -> bytes32:
    return keccak256(
        abi_encode(DOMAIN_TYPE_HASH, keccak256("PayGo"), keccak256("1"), chain.id, self)
    )


@internal
@pure
def _digest(domain: bytes32, token: address, charge: Charge) -> bytes32:
    signed: bytes32 = keccak256(
        abi_encode(
            TYPE_HASH,
            charge.wallet,
            token,
            charge.limit,
            charge.collectableUntil,
            charge.terms,
        )
    )
    return keccak256(concat(PREFIX, domain, signed))


@internal
@view
def _is_signed(wallet: address, digest: bytes32, signature: Bytes[320]) -> bool:
    if len(signature) == 65:
        r: uint256 = convert(slice(signature, 0, 32), uint256)
        s: uint256 = convert(slice(signature, 32, 32), uint256)
        v: uint256 = convert(slice(signature, 64, 1), uint256)
        if s <= HALF_ORDER and (v == 27 or v == 28):
            signer: address = ecrecover(digest, v, r, s)
            if signer == wallet and signer != empty(address):
                return True
    if not wallet.is_contract:
        return False
    # EIP-1271. A wallet that fails, or answers nothing of use, has not signed.
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        wallet,
        abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=32,
        gas=SIGNATURE_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and slice(answer, 0, 4) == b"\x16\x26\xba\x7e"
