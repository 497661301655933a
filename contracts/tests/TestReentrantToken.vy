# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A hostile token for tests: while it moves what is due, it calls back whoever asks it to
@license MIT
"""

target: address
data: Bytes[1024]
# What it has moved in all, and how many of its calls back were let in.
moved: public(uint256)
entered: public(uint256)


@external
def arm(target: address, data: Bytes[1024]):
    self.target = target
    self.data = data


@external
def call(target: address, data: Bytes[1024]):
    raw_call(target, data)


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    self.moved += amount
    if raw_call(self.target, self.data, revert_on_failure=False):
        self.entered += 1
    return True
