# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A contract wallet for tests (EIP-1271): what its owner has signed, it has signed, until it is told otherwise
@license MIT
"""

owner: public(immutable(address))
denies: public(bool)


@deploy
def __init__(owner_: address):
    owner = owner_


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[320]) -> bytes4:
    if self.denies or len(signature) != 65:
        return 0x00000000
    r: uint256 = convert(slice(signature, 0, 32), uint256)
    s: uint256 = convert(slice(signature, 32, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    if ecrecover(digest, v, r, s) != owner:
        return 0x00000000
    return 0x1626ba7e


@external
def deny(denies: bool):
    self.denies = denies


@external
def call(target: address, data: Bytes[1024]):
    assert msg.sender == owner, "not the owner"
    raw_call(target, data)
