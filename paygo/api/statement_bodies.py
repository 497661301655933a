"""Bodies of the calls about statements."""

from typing import Any

from rest_framework import serializers

from billing.statements import Asked, Line, Statement
from core.errors import Invalid
from paygo.api.fields import ChoiceField, InstantField, StrictSerializer, UuidTextField, WholeTextField
from paygo.api.payout_bodies import TokenEarningsState, render_tokens
from paygo.api.render import instant, instant_or_none, seconds, zec_number, zec_or_none

_LIMIT, _MOST = 1000, 1000
FORMATS = ("json", "csv", "html")


class StatementQuery(StrictSerializer):
    """Which part of a statement, by the time of booking, and as what."""

    since = InstantField(required=False, help_text="From this instant on.")
    until = InstantField(required=False, help_text="Up to, and without, this instant.")
    after = WholeTextField(low=1, high=10**15 - 1, required=False, help_text="Lines behind this page.")
    limit = WholeTextField(low=1, high=_MOST, default=_LIMIT, help_text="Lines on a page; CSV has them all.")
    format = ChoiceField(FORMATS, required=False)


class VendorStatementQuery(StatementQuery):
    """Which part of a vendor's statement, or what one of his payouts is made of."""

    payout = UuidTextField(
        required=False,
        help_text="A `payout_id`: what was earned for it, which adds up to its amount. Not with a period.",
    )


class StretchState(serializers.Serializer[Any]):
    """A stretch of a session on one permission."""

    session_code = serializers.CharField()
    transaction_id = serializers.UUIDField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    duration_seconds = serializers.FloatField()
    rate_per_hour = serializers.FloatField()


class StatementLine(serializers.Serializer[Any]):
    """One movement of money."""

    kind = serializers.CharField(
        help_text="`deposit`, `reversal`, `loss`, `loss_covered`, `stream`, `running`, `fee`, `refund`, "
        "`refund_cancelled`, `payout`, `payout_cancelled`"
    )
    at = serializers.DateTimeField(help_text="The instant that counts")
    booked_at = serializers.DateTimeField(allow_null=True, help_text="null: it runs, and is not booked yet")
    amount = serializers.FloatField(help_text="ZEC that came, or left (below 0)")
    balance = serializers.FloatField(help_text="ZEC there after it")
    stretch = StretchState(allow_null=True)
    cause = serializers.DictField(help_text="txid and output of a deposit; id, address, txids of a payment")


class StatementState(serializers.Serializer[Any]):
    """A page of a statement; `opening` and the lines' amounts add up to `closing`."""

    account = serializers.CharField()
    name = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    opening = serializers.FloatField()
    lines = StatementLine(many=True)
    closing = serializers.FloatField()
    next_after = serializers.IntegerField(allow_null=True, help_text="`after` of the next page")
    tokens = TokenEarningsState(
        many=True, help_text="Of a vendor: what he had earned in tokens at the end of the period"
    )


def asked_of(values: dict[str, Any]) -> Asked:
    """Return which part of an account a query asks for.

    Raises:
        Invalid: it ends before it begins.
    """
    since, until = values.get("since"), values.get("until")
    if values.get("payout") and (since or until):
        raise Invalid("is not given with a period of its own", field="payout")
    if since and until and until <= since:
        raise Invalid("must be later than since", field="until")
    return Asked(since=since, until=until, after=values.get("after", 0), limit=values["limit"])


def render_statement(statement: Statement) -> dict[str, Any]:
    """Return a page of a statement."""
    return {
        "account": statement.account,
        "name": statement.name,
        "since": instant_or_none(statement.since),
        "until": instant_or_none(statement.until),
        "opening": zec_number(statement.opening_zat),
        "lines": [_line(each) for each in statement.lines],
        "closing": zec_number(statement.closing_zat),
        "next_after": statement.next_after,
        "tokens": render_tokens(statement.tokens),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "at": instant(line.at),
        "booked_at": instant_or_none(line.booked_at),
        "amount": zec_number(line.amount_zat),
        "balance": zec_number(line.balance_zat),
        "stretch": _stretch(line),
        "cause": dict(line.cause),
    }


def _stretch(line: Line) -> dict[str, Any] | None:
    if line.stretch is None:
        return None
    return {
        "session_code": line.session_code,
        "transaction_id": line.stretch.id,
        "started_at": instant(line.stretch.started_at),
        "ended_at": instant_or_none(line.stretch.ended_at),
        "duration_seconds": seconds(line.stretch.duration_ms),
        "rate_per_hour": zec_or_none(line.stretch.rate),
    }
