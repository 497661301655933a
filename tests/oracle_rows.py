"""What the oracle of metering (tests.oracle) keeps: permissions, a token, sessions, transactions, calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MS_PER_HOUR = 3_600_000

Status = Literal["pending", "queued", "active", "exhausted", "expired", "revoked", "lapsed"]
CallName = Literal["credit", "start", "end", "revoke", "revoke_token", "pause", "resume"]


@dataclass(kw_only=True)
class OraclePermission:
    """A spending permission of the wallet; `queued_at` keeps the last instant (ms) at which it was queued."""

    id: int
    rate_zat_per_hour: int
    remaining_zat: int
    expires_at: int
    status: Status
    requested_zat: int
    credited_zat: int
    queued_at: int | None = None


@dataclass(kw_only=True)
class OracleToken:
    """The authorisation that is linked to the wallet; it ends at `expires_at`, or with `limit` charged.

    `prices` are those that vendors have in the token, by their price in ZEC; the others cost the signed rate.
    """

    rate: int
    limit: int
    cutoff: int
    expires_at: int
    prices: Mapping[int, int] = field(default_factory=dict)
    charged: int = 0
    status: Literal["active", "exhausted", "expired", "revoked"] = "active"

    def rate_of(self, rate_zat_per_hour: int) -> int:
        """What an hour of a session costs in the token, which costs so much in ZEC."""
        return self.prices.get(rate_zat_per_hour, self.rate)

    def pays(self, rate_zat_per_hour: int, cap_zat: int | None) -> bool:
        """Whether a session may go on with it."""
        covered = cap_zat is None and self.rate_of(rate_zat_per_hour) <= self.rate
        return covered and self.status == "active" and self.charged < self.cutoff


@dataclass(kw_only=True)
class OracleSession:
    """A streaming session; `bound` is the instant (ms) at which it ends by itself, with `bound_reason`.

    `cap_zat` is the most that it may cost; `lease_ms` how long a heartbeat lease lasts that begins anew with
    each resumption, and `lives_until` its bound without leases.
    """

    id: int
    rate_zat_per_hour: int
    bound: int
    bound_reason: str
    started_at: int
    cap_zat: int | None = None
    lease_ms: int | None = None
    lives_until: int = 0
    paused_at: int | None = None
    resume_by: int | None = None
    ended_at: int | None = None
    end_reason: str | None = None

    @property
    def status(self) -> str:
        """What it is in the product's words."""
        if self.ended_at is not None:
            return "ended"
        return "active" if self.paused_at is None else "paused"


@dataclass(kw_only=True)
class OracleTransaction:
    """One stretch of a session on one permission, None: on the token; charged `amount_zat` so far."""

    id: int
    session_id: int
    permission_id: int | None
    rate_zat_per_hour: int
    started_at: int
    ended_at: int | None = None
    amount_zat: int = 0


@dataclass(frozen=True, kw_only=True)
class Call:
    """One line of the script."""

    at: int
    name: CallName
    arguments: dict[str, int | str]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The state after every event and call up to and including the horizon of the run."""

    until: int
    permissions: dict[int, OraclePermission]
    sessions: dict[int, OracleSession]
    transactions: list[OracleTransaction]
    answers: list[tuple[Call, str]]
    remaining_zat_by_ms: dict[int, list[int]]
    token: OracleToken | None

    def remaining(self, permission_id: int, *, at: int) -> int:
        """What a permission had left (zat) after all of an instant (ms); ValueError outside the run."""
        if not 0 <= at <= self.until:
            raise ValueError(f"{at} ms is outside the walked 0..{self.until} ms")
        return self.remaining_zat_by_ms[permission_id][at]

    def of_session(self, session_id: int) -> list[OracleTransaction]:
        """The transactions of one session, oldest first."""
        return [transaction for transaction in self.transactions if transaction.session_id == session_id]
