"""Bodies of the calls about sessions: what they take, and what they answer."""

from typing import Any

from rest_framework import serializers

from billing import privacy
from billing.engine import Alive, Started
from billing.live import LiveSession
from billing.models import ZEC
from billing.records import SessionRecord, TransactionRecord
from billing.rules import TransactionStatus
from billing.session_list import SessionPage
from core.amounts import div_floor
from paygo.api.ethereum_fields import StreamingWalletField
from paygo.api.fields import (
    ChoiceField,
    ClientRefField,
    SessionCodeField,
    StrictSerializer,
    VendorIdField,
    WholeField,
    WholeTextField,
    ZecField,
)
from paygo.api.render import instant, instant_or_none, seconds, zec_number, zec_or_none
from sessions_app.models import StreamingSession
from sessions_app.rules import EndReason, SessionStatus

_TRANSACTION_STATUSES = [each.value for each in TransactionStatus]
_END_REASONS = [each.value for each in EndReason]
_STATUSES = [each.value for each in SessionStatus]


class SessionRequest(StrictSerializer):
    """Who wants to stream where."""

    user_wallet_address = StreamingWalletField(help_text="A Zcash address, or an Ethereum one (EIP-55).")
    vendor_id = VendorIdField()
    client_ref = ClientRefField(
        required=False, help_text="Tells a second session from a repeated start, which returns the open one."
    )
    heartbeat_seconds = WholeField(
        low=5, high=3600, required=False, help_text="End the session after so many seconds of silence."
    )
    max_amount = ZecField(
        required=False, help_text="ZEC: the session ends, `spending_cap`, before it costs more than that."
    )


class EndRequest(StrictSerializer):
    """Which session to end."""

    session_code = SessionCodeField()


class HeartbeatRequest(StrictSerializer):
    """Which session is alive."""

    session_code = SessionCodeField()


class AliveSession(serializers.Serializer[Any]):
    """A session that runs."""

    session_code = serializers.CharField()
    session_id = serializers.UUIDField()
    granted_until = serializers.DateTimeField(help_text="The vendor may stream until then")
    next_heartbeat_by = serializers.DateTimeField(
        allow_null=True, help_text="The session ends then without another heartbeat; null: it needs none"
    )


class Fallback(serializers.Serializer[Any]):
    """What a stream goes on with when ZEC is used up, and what that tells the public."""

    asset = serializers.CharField(help_text="A token's symbol")
    privacy_note = serializers.CharField()


class StartedSession(serializers.Serializer[Any]):
    """A running session."""

    session_code = serializers.CharField()
    session_id = serializers.UUIDField()
    rate_per_hour = serializers.FloatField(
        allow_null=True,
        help_text="ZEC, frozen for the session's life; null: a token pays, and there is no price in ZEC",
    )
    asset = serializers.CharField(help_text="What pays now: ZEC, or a token's symbol")
    asset_rate_per_hour = serializers.CharField(help_text="In the smallest unit of what pays now")
    fallback = Fallback(allow_null=True, help_text="What pays when ZEC is used up; null: nothing")
    max_amount = serializers.FloatField(allow_null=True, help_text="ZEC, the session's spending cap, if any")
    depletes_at = serializers.DateTimeField(
        allow_null=True, help_text="When the active permission is used up; null: something else comes first"
    )
    granted_until = serializers.DateTimeField(help_text="The vendor may stream until then")


class TransactionOfSession(serializers.Serializer[Any]):
    """One stretch of a session on one source: a permission, in ZEC, or an authorisation, in a token."""

    id = serializers.UUIDField()
    permission_id = serializers.UUIDField(allow_null=True)
    authorization_id = serializers.UUIDField(allow_null=True)
    asset = serializers.CharField(help_text="ZEC, or a token's symbol")
    status = ChoiceField(_TRANSACTION_STATUSES)
    amount = serializers.FloatField(help_text="ZEC; of an open one so far; 0 of a token's")
    rate_per_hour = serializers.FloatField(allow_null=True, help_text="ZEC; null of a token's")
    amount_units = serializers.CharField(help_text="The same in the smallest unit of the asset")
    rate_units_per_hour = serializers.CharField(help_text="The same in the smallest unit of the asset")
    decimals = serializers.IntegerField(help_text="Of the asset: what 1 of it has of smallest units")
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    duration_seconds = serializers.FloatField()


class AssetTotal(serializers.Serializer[Any]):
    """What a session cost in one asset."""

    asset = serializers.CharField(help_text="ZEC, or a token's symbol")
    amount_units = serializers.CharField(help_text="In its smallest unit")
    decimals = serializers.IntegerField()


class EndedSession(serializers.Serializer[Any]):
    """What an ended session cost; `id` is its last transaction's."""

    id = serializers.UUIDField()
    session_code = serializers.CharField()
    session_id = serializers.UUIDField()
    amount = serializers.FloatField(help_text="ZEC")
    duration_minutes = serializers.IntegerField(help_text="Whole minutes of billable time")
    duration_seconds = serializers.FloatField()
    status = ChoiceField(_TRANSACTION_STATUSES)
    end_reason = ChoiceField(_END_REASONS)
    totals = AssetTotal(many=True)
    transactions = TransactionOfSession(many=True)


class SessionsQuery(StrictSerializer):
    """Which of a client's sessions, newest first."""

    user_wallet_address = StreamingWalletField(required=False, help_text="Those of this viewer.")
    status = ChoiceField(_STATUSES, required=False, help_text="Those that are this.")
    limit = WholeTextField(low=1, high=100, default=50, help_text="Sessions on a page.")
    after = SessionCodeField(required=False, help_text="Those that started before this one.")


class ListedSessionState(serializers.Serializer[Any]):
    """A session with what it has cost so far."""

    session_code = serializers.CharField()
    session_id = serializers.UUIDField()
    user_wallet_address = serializers.CharField()
    vendor_id = serializers.CharField()
    client_ref = serializers.CharField(allow_blank=True)
    status = ChoiceField(_STATUSES)
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    end_reason = ChoiceField(_END_REASONS, allow_null=True)
    rate_per_hour = serializers.FloatField(
        allow_null=True, help_text="ZEC; null: it began on a token, and has no price in ZEC"
    )
    price_version = serializers.IntegerField(
        allow_null=True, help_text="Which of the vendor's prices it started with; null: before there were any"
    )
    token_price_version = serializers.IntegerField(
        allow_null=True, help_text="The latest of the vendor's prices in tokens at its start; null: none"
    )
    max_amount = serializers.FloatField(allow_null=True, help_text="ZEC, the session's spending cap, if any")
    paused_at = serializers.DateTimeField(allow_null=True, help_text="null unless it is paused")
    resume_by = serializers.DateTimeField(
        allow_null=True, help_text="It ends then, `pause_expired`, unless it is resumed; null unless paused"
    )
    amount = serializers.FloatField(help_text="ZEC so far")
    duration_seconds = serializers.FloatField(help_text="Billable time so far")
    next_heartbeat_by = serializers.DateTimeField(
        allow_null=True,
        help_text="It ends then without another heartbeat; null: it needs none, or does not run",
    )


class SessionState(ListedSessionState):
    """A session as it is at this moment."""

    depletes_at = serializers.DateTimeField(
        allow_null=True, help_text="When the active permission is used up; null: something else comes first"
    )
    granted_until = serializers.DateTimeField(
        allow_null=True, help_text="The vendor may stream until then; null while it does not run"
    )
    fallback = Fallback(allow_null=True, help_text="What pays when ZEC is used up; null: nothing")
    totals = AssetTotal(many=True)
    transactions = TransactionOfSession(many=True)


class SessionPageState(serializers.Serializer[Any]):
    """Some of a client's sessions."""

    sessions = ListedSessionState(many=True)
    next_after = serializers.CharField(
        allow_null=True, help_text="`after` of the next page; null: this is the last one"
    )


def render_started(started: Started) -> dict[str, Any]:
    """Return a running session; its instants are texts already, so that a repetition gets the same."""
    return {
        "session_code": started.session_code,
        "session_id": started.session_id,
        "rate_per_hour": zec_or_none(started.rate_zat_per_hour),
        "asset": started.asset,
        "asset_rate_per_hour": str(started.asset_rate),
        "fallback": fallback(started.fallback),
        "max_amount": zec_or_none(started.max_amount_zat),
        "depletes_at": started.depletes_at and _as_utc(started.depletes_at),
        "granted_until": _as_utc(started.granted_until),
    }


def render_ended(record: SessionRecord) -> dict[str, Any]:
    """Return what an ended session cost."""
    return {
        "id": record.transactions[-1].id,
        "session_code": record.session.code,
        "session_id": str(record.session.public_id),
        "amount": zec_number(record.amount_zat),
        "duration_minutes": div_floor(record.duration_ms, 60_000),
        "duration_seconds": seconds(record.duration_ms),
        "status": record.status,
        "end_reason": record.end_reason,
        "totals": _totals(record),
        "transactions": [_transaction(each) for each in record.transactions],
    }


def render_alive(alive: Alive) -> dict[str, Any]:
    """Return a session that sent a heartbeat."""
    return {
        "session_code": alive.session.code,
        "session_id": str(alive.session.public_id),
        "granted_until": instant(alive.granted_until),
        "next_heartbeat_by": instant_or_none(alive.next_heartbeat_by),
    }


def render_session(live: LiveSession) -> dict[str, Any]:
    """Return a session as it is at this moment."""
    record = live.record
    return {
        **_session(record.session, amount_zat=record.amount_zat, duration_ms=record.duration_ms),
        "depletes_at": instant_or_none(live.depletes_at),
        "granted_until": instant_or_none(live.granted_until),
        "fallback": fallback(live.fallback),
        "totals": _totals(record),
        "transactions": [_transaction(each) for each in record.transactions],
    }


def render_sessions(page: SessionPage) -> dict[str, Any]:
    """Return a page of sessions."""
    listed = [
        _session(each.session, amount_zat=each.amount_zat, duration_ms=each.duration_ms)
        for each in page.sessions
    ]
    return {"sessions": listed, "next_after": page.next_after}


def _session(session: StreamingSession, *, amount_zat: int, duration_ms: int) -> dict[str, Any]:
    is_paused = session.status == SessionStatus.PAUSED
    runs = session.status == SessionStatus.ACTIVE
    return {
        "session_code": session.code,
        "session_id": str(session.public_id),
        "user_wallet_address": session.wallet_address,
        "vendor_id": session.vendor.slug,
        "client_ref": session.client_ref,
        "status": session.status,
        "started_at": instant(session.started_at),
        "ended_at": instant_or_none(session.ended_at),
        "end_reason": session.end_reason,
        "rate_per_hour": zec_or_none(session.rate_zat_per_hour),
        "price_version": session.price_version,
        "token_price_version": session.token_price_version,
        "max_amount": zec_or_none(session.max_amount_zat),
        "paused_at": instant_or_none(session.paused_at if is_paused else None),
        "resume_by": instant_or_none(session.resume_by if is_paused else None),
        "amount": zec_number(amount_zat),
        "duration_seconds": seconds(duration_ms),
        "next_heartbeat_by": instant_or_none(session.lease_until if runs else None),
    }


def fallback(asset: str | None) -> dict[str, str] | None:
    """Return what a stream goes on with when ZEC is used up, with what that tells the public."""
    return None if asset is None else {"asset": asset, "privacy_note": privacy.NOTE}


def _totals(record: SessionRecord) -> list[dict[str, Any]]:
    return [
        {"asset": each.asset, "amount_units": str(each.amount), "decimals": each.decimals}
        for each in record.totals
    ]


def _transaction(record: TransactionRecord) -> dict[str, Any]:
    is_zec = record.asset == ZEC
    return {
        "id": record.id,
        "permission_id": record.permission_id,
        "authorization_id": record.authorization_id,
        "asset": record.asset,
        "status": record.status,
        "amount": zec_number(record.amount if is_zec else 0),
        "rate_per_hour": zec_number(record.rate) if is_zec else None,
        "amount_units": str(record.amount),
        "rate_units_per_hour": str(record.rate),
        "decimals": record.decimals,
        "started_at": instant(record.started_at),
        "ended_at": instant_or_none(record.ended_at),
        "duration_seconds": seconds(record.duration_ms),
    }


def _as_utc(text: str) -> str:
    return text.replace("+00:00", "Z")
