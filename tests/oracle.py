"""An independent oracle for metering: one wallet's life, walked millisecond by millisecond.

Instants are whole milliseconds since 0, money is zatoshis; of the second source, the token that a viewer has
signed for, smallest units. What it is charged grows up to its cutoff; what runs on it ends there, or at its
last day. A credit that makes a permission active takes its sessions back. Nothing here is computed ahead: the
state at an instant is the state one millisecond before plus what that millisecond did, so that closed forms,
bisections and late settlements elsewhere have something to be compared with. It never imports the code that
it judges.

The order of things at one instant:

1. every open transaction is charged what the last millisecond added to its amount, in the order of ids, none
   beyond what is left; a permission with nothing left is exhausted;
2. sessions whose bound is this instant end with the bound's own reason and never roll over; so do those that
   would cost more than their spending cap one millisecond later, and pauses that are over;
3. permissions whose `expires_at` is this instant expire, pending ones lapse;
4. where the active permission has left that state, the first queued one becomes active, and the sessions that
   are still open go on from it in new transactions; those whose price its rate does not cover, and those that
   find none, go on with the token, at their vendor's price in it or else the signed rate, or end: those that
   would be dearer than what was signed end, too;
5. scripted calls of this instant are applied in the order of the script, and see all of the above.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy

from tests.oracle_rows import (
    MS_PER_HOUR,
    Call,
    CallName,
    OraclePermission,
    OracleSession,
    OracleToken,
    OracleTransaction,
    Outcome,
    Status,
)


class Oracle:
    """A wallet's permissions at instant 0 and the script of what happens to them."""

    def __init__(self) -> None:
        self._permissions: dict[int, OraclePermission] = {}
        self._script: list[Call] = []
        self._token: OracleToken | None = None

    def link_token(
        self, *, rate: int, limit: int, cutoff: int, expires_at: int, prices: Mapping[int, int]
    ) -> None:
        """Let the wallet's viewer have signed for a token as of instant 0; amounts in its smallest unit."""
        self._token = OracleToken(rate=rate, limit=limit, cutoff=cutoff, expires_at=expires_at, prices=prices)

    def add_permission(
        self,
        permission_id: int,
        *,
        rate_zat_per_hour: int,
        expires_at: int,
        status: Status = "active",
        remaining_zat: int = 0,
        requested_zat: int | None = None,
        credited_zat: int | None = None,
        queued_at: int | None = None,
    ) -> None:
        """Put a permission into the wallet as of instant 0; amounts (zat) not given equal `remaining_zat`."""
        if permission_id in self._permissions:
            raise ValueError(f"permission {permission_id} exists already")
        if expires_at <= 0:
            raise ValueError("expires_at must be after instant 0")
        if status in ("active", "queued") and remaining_zat <= 0:
            raise ValueError(f"a permission that is {status} has money left")
        if status == "queued" and queued_at is None:
            raise ValueError("a queued permission has its queued_at")
        if status == "pending" and requested_zat is None:
            raise ValueError("a pending permission has its requested_zat")
        self._permissions[permission_id] = OraclePermission(
            id=permission_id,
            rate_zat_per_hour=rate_zat_per_hour,
            remaining_zat=remaining_zat,
            expires_at=expires_at,
            status=status,
            requested_zat=remaining_zat if requested_zat is None else requested_zat,
            credited_zat=remaining_zat if credited_zat is None else credited_zat,
            queued_at=queued_at,
        )

    def call(self, at: int, name: CallName, **arguments: int | str) -> None:
        """Script a call for an instant (ms); calls of one instant are applied in the order of being added.

        credit(permission_id, amount_zat), start(session_id, rate, bound, bound_reason; if wanted, cap_zat,
        lease_ms, lives_until), end(session_id), pause(session_id, resume_by), resume(session_id),
        revoke(permission_id), revoke_token().
        """
        if at < 0:
            raise ValueError("the script starts at instant 0")
        if name == "start" and int(arguments["bound"]) <= at:
            raise ValueError("a session's bound lies after its start")
        if name == "credit" and int(arguments["amount_zat"]) <= 0:
            raise ValueError("a credit is more than nothing")
        self._script.append(Call(at=at, name=name, arguments=arguments))

    def run(self, until: int) -> Outcome:
        """Walk from instant 0 to `until` (ms, inclusive); the script can be run again, to any horizon."""
        statuses = [permission.status for permission in self._permissions.values()]
        if statuses.count("active") > 1:
            raise ValueError("a wallet has at most one active permission")
        if "queued" in statuses and "active" not in statuses:
            raise ValueError("a permission is queued only behind an active one")
        walk = _Walk(
            permissions=deepcopy(self._permissions), script=self._script, token=deepcopy(self._token)
        )
        for now in range(until + 1):
            walk.step(now=now)
        return walk.outcome(until=until)


class _Walk:
    """The wallet at one instant, moved on by `step`; a verb answers "ok" or why it did nothing."""

    def __init__(
        self, *, permissions: dict[int, OraclePermission], script: list[Call], token: OracleToken | None
    ) -> None:
        self.permissions = permissions
        self.token = token
        self.sessions: dict[int, OracleSession] = {}
        self.transactions: list[OracleTransaction] = []
        self.answers: list[tuple[Call, str]] = []
        self.history: dict[int, list[int]] = {permission_id: [] for permission_id in permissions}
        self.calls_at: dict[int, list[Call]] = {}
        for call in script:
            self.calls_at.setdefault(call.at, []).append(call)
        self.verbs: dict[CallName, Callable[..., str]] = {
            "credit": self.credit,
            "start": self.start,
            "end": self.end,
            "revoke": self.revoke,
            "revoke_token": self.revoke_token,
            "pause": self.pause,
            "resume": self.resume,
        }

    def step(self, *, now: int) -> None:
        self.pass_events(now=now)
        for call in self.calls_at.get(now, []):
            answer = self.verbs[call.name](now=now, **call.arguments)
            self.answers.append((call, answer))
        for permission in self.permissions.values():
            self.history[permission.id].append(permission.remaining_zat)

    def outcome(self, *, until: int) -> Outcome:
        return Outcome(
            until=until,
            permissions=self.permissions,
            sessions=self.sessions,
            transactions=self.transactions,
            answers=self.answers,
            remaining_zat_by_ms=self.history,
            token=self.token,
        )

    def pass_events(self, *, now: int) -> None:
        self.end_pauses(now=now)
        payer = self.active()
        self.charge_token(now=now)
        if payer is not None:
            self.charge(payer, now=now)
        depleted = payer is not None and payer.remaining_zat == 0
        if payer is not None and depleted:
            payer.status = "exhausted"
        self.end_bounded(now=now)
        self.expire(now=now)
        self.close_token(now=now)
        if payer is not None and payer.status != "active":
            self.hand_over()
            self.roll_over(now=now, end_reason="exhausted" if depleted else "permission_expired")

    def charge(self, payer: OraclePermission, *, now: int) -> None:
        for transaction in self.open_on(payer.id):
            gain_zat = self.amount(transaction, at=now) - self.amount(transaction, at=now - 1)
            part_zat = min(gain_zat, payer.remaining_zat)
            transaction.amount_zat += part_zat
            payer.remaining_zat -= part_zat

    def charge_token(self, *, now: int) -> None:
        for transaction in self.open_on(None):
            assert self.token is not None
            gain = self.amount(transaction, at=now) - self.amount(transaction, at=now - 1)
            part = min(gain, self.token.cutoff - self.token.charged)
            transaction.amount_zat += part
            self.token.charged += part

    def close_token(self, *, now: int) -> None:
        """End what the token no longer pays for; sessions at their own bound have ended for that."""
        if self.token is None or self.token.status not in ("active", "exhausted"):
            return
        spent, over = self.token.charged >= self.token.cutoff, self.token.expires_at == now
        for transaction in self.open_on(None) if spent or over else []:
            self.end_session(
                transaction, now=now, end_reason="exhausted" if spent else "authorization_expired"
            )
        if self.token.charged == self.token.limit:
            self.token.status = "exhausted"
        if over:
            self.token.status = "expired"

    def amount(self, transaction: OracleTransaction, *, at: int) -> int:
        billable_ms = min(at, self.sessions[transaction.session_id].bound) - transaction.started_at
        return transaction.rate_zat_per_hour * billable_ms // MS_PER_HOUR

    def end_bounded(self, *, now: int) -> None:
        for transaction in self.open_transactions():
            session = self.sessions[transaction.session_id]
            if session.bound == now:
                self.end_session(transaction, now=now, end_reason=session.bound_reason)
            elif session.cap_zat is not None and self.cost(transaction, at=now + 1) > session.cap_zat:
                self.end_session(transaction, now=now, end_reason="spending_cap")

    def cost(self, transaction: OracleTransaction, *, at: int) -> int:
        """What a session comes to if the transaction that is open now runs on to an instant."""
        earlier = [
            t for t in self.transactions if t.session_id == transaction.session_id and t.id < transaction.id
        ]
        return sum(t.amount_zat for t in earlier) + self.amount(transaction, at=at)

    def end_pauses(self, *, now: int) -> None:
        for session in self.sessions.values():
            if session.status == "paused" and session.resume_by == now:
                session.ended_at = now
                session.end_reason = "pause_expired"

    def expire(self, *, now: int) -> None:
        for permission in self.permissions.values():
            if permission.expires_at != now:
                continue
            if permission.status == "pending":
                permission.status = "lapsed"
            elif permission.status in ("active", "queued", "exhausted"):
                permission.status = "expired"

    def hand_over(self) -> None:
        queue = [permission for permission in self.permissions.values() if permission.status == "queued"]
        if queue:
            min(queue, key=place_in_queue).status = "active"

    def roll_over(self, *, now: int, end_reason: str) -> None:
        successor = self.active()
        for transaction in self.open_transactions():
            session = self.sessions[transaction.session_id]
            if transaction.permission_id is None:
                continue
            if successor is not None and session.rate_zat_per_hour <= successor.rate_zat_per_hour:
                transaction.ended_at = now
                self.open_transaction(session, successor, now=now)
            elif self.token is not None and self.token.pays(session.rate_zat_per_hour, session.cap_zat):
                transaction.ended_at = now
                self.open_transaction(session, None, now=now)
            else:
                self.end_session(transaction, now=now, end_reason=end_reason)

    def credit(self, *, now: int, permission_id: int, amount_zat: int) -> str:
        permission = self.permissions[permission_id]
        permission.credited_zat += amount_zat
        permission.remaining_zat += amount_zat
        paid = permission.credited_zat >= permission.requested_zat
        if permission.status == "exhausted" or (permission.status == "pending" and paid):
            if self.active() is None:
                permission.status = "active"
                self.take_back(permission, now=now)
            else:
                permission.status = "queued"
                permission.queued_at = now
        return "ok"

    def take_back(self, permission: OraclePermission, *, now: int) -> None:
        for transaction in self.open_on(None):
            session = self.sessions[transaction.session_id]
            if session.rate_zat_per_hour <= permission.rate_zat_per_hour:
                transaction.ended_at = now
                self.open_transaction(session, permission, now=now)

    def start(
        self, *, now: int, session_id: int, rate: int, bound: int, bound_reason: str, **limits: int
    ) -> str:
        if session_id in self.sessions:
            raise ValueError(f"session {session_id} exists already")
        payer = self.active()
        on_token = self.token is not None and self.token.pays(rate, limits.get("cap_zat"))
        if payer is None and not on_token:
            return "permission_required"
        if payer is not None and rate > payer.rate_zat_per_hour:
            return "rate_exceeds_permission"
        session = OracleSession(
            id=session_id,
            rate_zat_per_hour=rate,
            bound=bound,
            bound_reason=bound_reason,
            started_at=now,
            **limits,
        )
        self.sessions[session_id] = session
        self.open_transaction(session, payer, now=now)
        return "ok"

    def end(self, *, now: int, session_id: int) -> str:
        for transaction in self.open_transactions():
            if transaction.session_id == session_id:
                self.end_session(transaction, now=now, end_reason="ended_by_client")
                return "ok"
        session = self.sessions.get(session_id)
        if session is not None and session.status == "paused":
            session.ended_at, session.end_reason = now, "ended_by_client"
            return "ok"
        return "not_open"

    def pause(self, *, now: int, session_id: int, resume_by: int) -> str:
        for transaction in self.open_transactions():
            if transaction.session_id == session_id:
                transaction.ended_at = now
                session = self.sessions[session_id]
                session.paused_at, session.resume_by = now, resume_by
                return "ok"
        return "not_open"

    def resume(self, *, now: int, session_id: int) -> str:
        session = self.sessions.get(session_id)
        if session is None or session.status != "paused" or session.paused_at is None:
            return "not_paused"
        payer = self.active()
        on_token = self.token is not None and self.token.pays(session.rate_zat_per_hour, session.cap_zat)
        if payer is None and not on_token:
            return "permission_required"
        if payer is not None and session.rate_zat_per_hour > payer.rate_zat_per_hour:
            return "rate_exceeds_permission"
        self.move_bound(session, pause_ms=now - session.paused_at, now=now)
        session.paused_at = session.resume_by = None
        self.open_transaction(session, payer, now=now)
        return "ok"

    def move_bound(self, session: OracleSession, *, pause_ms: int, now: int) -> None:
        if session.lease_ms is None:
            session.bound += pause_ms
            return
        session.lives_until += pause_ms
        lease_until = now + session.lease_ms
        leased = lease_until < session.lives_until
        session.bound = lease_until if leased else session.lives_until
        session.bound_reason = "heartbeat_lost" if leased else "max_duration"

    def revoke(self, *, now: int, permission_id: int) -> str:
        permission = self.permissions[permission_id]
        if permission.status in ("expired", "lapsed", "revoked"):
            return "closed"
        was_active = permission.status == "active"
        permission.status = "revoked"
        if was_active:
            for transaction in self.open_on(permission_id):
                self.end_session(transaction, now=now, end_reason="permission_revoked")
            self.hand_over()
        return "ok"

    def revoke_token(self, *, now: int) -> str:
        if self.token is None or self.token.status not in ("active", "exhausted"):
            return "closed"
        self.token.status = "revoked"
        for transaction in self.open_on(None):
            self.end_session(transaction, now=now, end_reason="authorization_revoked")
        return "ok"

    def active(self) -> OraclePermission | None:
        for permission in self.permissions.values():
            if permission.status == "active":
                return permission
        return None

    def open_transactions(self) -> list[OracleTransaction]:
        """Ids ascend because transactions are only ever appended."""
        return [transaction for transaction in self.transactions if transaction.ended_at is None]

    def open_on(self, permission_id: int | None) -> list[OracleTransaction]:
        """What runs on a permission, or on the token."""
        return [each for each in self.open_transactions() if each.permission_id == permission_id]

    def open_transaction(self, session: OracleSession, payer: OraclePermission | None, *, now: int) -> None:
        rate = session.rate_zat_per_hour
        if payer is None:
            assert self.token is not None
            rate = self.token.rate_of(rate)
        self.transactions.append(
            OracleTransaction(
                id=len(self.transactions) + 1,
                session_id=session.id,
                permission_id=payer.id if payer else None,
                rate_zat_per_hour=rate,
                started_at=now,
            )
        )

    def end_session(self, transaction: OracleTransaction, *, now: int, end_reason: str) -> None:
        transaction.ended_at = now
        session = self.sessions[transaction.session_id]
        session.ended_at = now
        session.end_reason = end_reason


def place_in_queue(permission: OraclePermission) -> tuple[int, int]:
    assert permission.queued_at is not None
    return permission.queued_at, permission.id
