"""The rows of zallet's `z_listtransactions`, read page by page."""

from collections.abc import Iterator
from dataclasses import dataclass

from core.amounts import MAX_ZAT

from .answers import MAX_HEIGHT, Record, memo_bytes, records, unexpected
from .rpc import AnswerTooLarge, RpcClient

METHOD = "z_listtransactions"
_POOLS = frozenset({"transparent", "sapling", "orchard", "ironwood"})
# Anybody can send rows with hundreds of outputs and a long memo in each: a page of those can be more than is
# read of an answer, and is asked for by halves. A row alone is not: its transaction has at most 2 MB.
_PAGE = 100
_MAX_ROWS = 100_000
_MAX_OUTPUT_INDEX = 2**32 - 1
_MAX_MEMO_BYTES = 512
# ZIP-302: a memo of arbitrary bytes is this byte and 511 others, of which zallet gives only the others.
_ARBITRARY, _ARBITRARY_BYTES = b"\xff", 511


@dataclass(frozen=True, slots=True)
class Output:
    """An output that the account made or received; `address` is empty where the wallet knows none."""

    pool: str
    index: int
    is_from_us: bool
    is_to_us: bool
    is_change: bool
    address: str
    amount_zat: int
    memo: bytes | None


@dataclass(frozen=True, slots=True)
class Row:
    """A transaction of the account; `height` is None while it is unmined, also when it has expired."""

    txid: str
    height: int | None
    expired: bool
    outputs: tuple[Output, ...]

    @property
    def is_own(self) -> bool:
        """Whether the account paid for it: only who pays gets change, and change of others is not ours."""
        return any(each.is_from_us or (each.is_change and each.is_to_us) for each in self.outputs)


def rows(rpc: RpcClient, *, account_uuid: str, from_height: int) -> list[Row]:
    """Return the account's transactions from a height on, and all unmined ones, each once.

    While the pages are read a transaction can move from one to another; whoever calls checks that the
    wallet's tip stayed, because only a block moves one to an earlier page.
    """
    found: dict[str, Row] = {}
    for page in _pages(rpc, account_uuid=account_uuid, from_height=from_height):
        found |= {row.txid: row for row in _of_account(page, account_uuid=account_uuid)}
    return list(found.values())


def _pages(rpc: RpcClient, *, account_uuid: str, from_height: int) -> Iterator[list[Record]]:
    offset, size = 0, _PAGE
    while offset < _MAX_ROWS:
        try:
            # Without an upper bound unmined transactions are listed as well.
            answer = rpc.call(METHOD, account_uuid, from_height, None, offset, size)
        except AnswerTooLarge:
            if size == 1:
                raise
            size //= 2
            continue
        page = records(answer, what=METHOD)
        yield page
        if len(page) < size:
            return
        offset += size
        # Behind the large rows come others, and those are not to be read one by one.
        size = min(2 * size, _PAGE)
    unexpected(METHOD, f"does not end after {_MAX_ROWS} rows")


def _of_account(listed: list[Record], *, account_uuid: str) -> list[Row]:
    return [
        _row(each, account_uuid=account_uuid) for each in listed if each.text("account_uuid") == account_uuid
    ]


def _row(row: Record, *, account_uuid: str) -> Row:
    height = row.integer("mined_height", high=MAX_HEIGHT) if "mined_height" in row else None
    expired = height is None and "expired_unmined" in row and row.boolean("expired_unmined")
    outputs = tuple(_output(each, account_uuid=account_uuid) for each in row.records("outputs"))
    return Row(row.hash("txid"), height, expired, outputs)


def _output(output: Record, *, account_uuid: str) -> Output:
    return Output(
        pool=output.choice("pool", choices=_POOLS),
        index=output.integer("output_index", high=_MAX_OUTPUT_INDEX),
        is_from_us=_is_account(output, "from_account", account_uuid=account_uuid),
        is_to_us=_is_account(output, "to_account", account_uuid=account_uuid),
        is_change=output.boolean("is_change"),
        address=output.text("to_address") if "to_address" in output else "",
        amount_zat=output.integer("value", high=MAX_ZAT),
        memo=_memo(output),
    )


def _is_account(output: Record, name: str, *, account_uuid: str) -> bool:
    return name in output and output.text(name) == account_uuid


def _memo(output: Record) -> bytes | None:
    """Return a memo that zallet gives as text, or as hex where it is no text, without saying which.

    What is too long for a memo as text is taken for hex; a shorter one that was hex stays the hex' text.
    """
    if "memo" not in output:
        return None
    text = output.excerpt("memo", length=4 * _MAX_MEMO_BYTES).encode(errors="replace")
    if len(text) <= _MAX_MEMO_BYTES:
        return memo_bytes(text)
    try:
        content = bytes.fromhex(text.decode())
    except ValueError:
        unexpected(f"{METHOD}.memo", "is neither a memo's text nor one in hex")
    if len(content) > _MAX_MEMO_BYTES:
        unexpected(f"{METHOD}.memo", "is too long")
    return memo_bytes(_ARBITRARY + content if len(content) == _ARBITRARY_BYTES else content)
