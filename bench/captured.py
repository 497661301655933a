"""The statements that a start and an end send, as the product sends them, with one set of parameters."""

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

_PARAMETER = re.compile(r"%\((\w+)\)s")


class Statement(NamedTuple):
    """One statement with what it was sent with."""

    sql: str
    parameters: dict[str, Any]


class Captured(NamedTuple):
    """What a start and an end of one session send: lock, read, write."""

    start: list[Statement]
    end: list[Statement]


def capture(wallet: str) -> Captured:
    """Start and end a session of a wallet, and return what was sent."""
    from django.db import connection

    from billing import engine
    from core import clock

    sent: list[Statement] = []

    def note(execute: Any, sql: str, parameters: Any, many: Any, context: Any) -> Any:
        sent.append(Statement(sql, dict(parameters)))
        return execute(sql, parameters, many, context)

    clock.now()
    with connection.execute_wrapper(note):
        request = engine.StartRequest(wallet, "vendor123")
        started = engine.start(request, client_id=1, now=clock.now())
        start, sent = sent, []
        engine.end(started.session_code, client_id=1, now=clock.now())
    return Captured(start, sent)


def save(captured: Captured, path: Path) -> None:
    """Keep it for another process."""
    path.write_bytes(pickle.dumps(captured))


def load(path: Path) -> Captured:
    """Return what another process of this run has kept."""
    found: Captured = pickle.loads(path.read_bytes())
    return found


def pgbench_script(captured: Captured, *, wallets_per_client: int) -> str:
    """Return the same statements as a script of pgbench, for wallets of each client's own."""
    wallet = "(SELECT wallet_address FROM zcash_permission WHERE id = :n::bigint)"
    code = "('B' || :code::text)"
    lock, read, write = captured.start
    started = _with(
        write.parameters["session"], public_id="gen_random_uuid()", code=code, wallet_address=wallet
    )
    opened = _with(
        write.parameters["transaction"], public_id="gen_random_uuid()", permission_id=":p_id::bigint"
    )
    lock_payer, read_again, end = captured.end
    return "\n".join(
        [
            f"\\set n :client_id * {wallets_per_client} + random(1, {wallets_per_client})",
            "\\set code random(1, 1000000000000000)",
            "BEGIN;",
            _text(lock, wallet_address=wallet) + " \\gset p_",
            _text(read, wallet_address=wallet, source_id=":p_id") + " \\gset l_",
            _text(
                write,
                session=started,
                transaction=opened,
                source_id=":p_id",
                at="now()",
                booked_at="now()",
            )
            + " \\gset s_",
            "COMMIT;",
            "BEGIN;",
            _text(lock_payer, code=code) + " \\gset q_",
            _text(read_again, wallet_address=wallet, source_id=":q_id", code=code) + " \\gset m_",
            _text(
                end,
                source_id=":q_id",
                session_id=":s_session",
                transaction_id=":s_transaction",
                at="now()",
                booked_at="now()",
            )
            + ";",
            "COMMIT;",
        ]
    )


def _with(row: str, **columns: str) -> str:
    """Return SQL for the JSON object of a row in which some columns are expressions."""
    changes = ", ".join(f"'{name}', {expression}" for name, expression in columns.items())
    return f"({_literal(row)}::jsonb || jsonb_build_object({changes}))"


def _text(statement: Statement, **expressions: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        name = found.group(1)
        return expressions[name] if name in expressions else _literal(statement.parameters[name])

    return re.sub(r"\s+", " ", _PARAMETER.sub(replaced, statement.sql)).strip()


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def changed(row: str, changes: Mapping[str, Any]) -> str:
    """Return the JSON object of a row with other values in some columns."""
    return json.dumps({**json.loads(row), **changes})
