"""The end of permissions and of pauses: expiry exactly at `expires_at`, the lapse of what was never paid,
and the end of sessions that were not resumed in time."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import DatabaseError, OperationalError
from django.db.models import Sum

from billing import covering, ends, linked, succession
from core.db import LostRace, again, operation, require_transaction
from core.errors import Busy, DomainError
from sessions_app.models import StreamingSession
from sessions_app.rules import SessionStatus
from zcash import audit, endings, permissions, queries
from zcash.models import Deposit, SpendingPermission
from zcash.rules import ARRIVED, EXPIRING, PermissionStatus

log = structlog.get_logger(__name__)

# In this order: what waits may be the heir of what was active.
_ENDS = (endings.expire_active, endings.end_waiting, ends.end_pauses)


@dataclass(frozen=True)
class Due:
    """How many permissions and pauses have come to their end and are not ended yet."""

    permissions: int
    unpaid: int
    pauses: int

    @property
    def all(self) -> int:
        """All of them."""
        return self.permissions + self.unpaid + self.pauses


def due(*, now: datetime) -> Due:
    """Return what a sweep would look at."""
    return Due(
        permissions=SpendingPermission.objects.expiring_by(now).count(),
        unpaid=SpendingPermission.objects.unpaid_by(now).count(),
        pauses=StreamingSession.objects.filter(status=SessionStatus.PAUSED, resume_by__lte=now).count(),
    )


def run(*, now: datetime, chunk_size: int = 1000) -> int:
    """End every permission and every pause whose time is over; return how many were looked at.

    By the set, a chunk at a time; what that leaves, because it is metered or fails, one by one. A busy one is
    left to the next sweep: it ends at its own instant, however late it is noticed.
    """
    ended = sum(_by_the_set(end, now=now, chunk_size=chunk_size) for end in _ENDS)
    due = [
        *SpendingPermission.objects.expiring_by(now).order_by("id").values_list("pk", flat=True),
        *SpendingPermission.objects.unpaid_by(now).order_by("id").values_list("pk", flat=True),
    ]
    for permission_id in due:
        _one_by_one("permission", permission_id, bring_current, now=now)
    return ended + len(due) + _end_authorizations(now=now)


def _one_by_one(kind: str, key: int, bring: Callable[..., object], *, now: datetime) -> None:
    try:
        bring(key, now=now)
    except Busy:
        log.info("expiry_left_a_busy_one", kind=kind, key=key)
    except OperationalError:
        raise
    except (DomainError, DatabaseError, AssertionError) as error:
        log.exception("not_ended", kind=kind, key=key, error=str(error))


def _end_authorizations(*, now: datetime) -> int:
    due = list(linked.expiring_by(now).order_by("id").values_list("pk", flat=True))
    for authorization_id in due:
        _one_by_one("authorization", authorization_id, covering.bring_current, now=now)
    return len(due)


def _by_the_set(end: Callable[..., int], *, now: datetime, chunk_size: int) -> int:
    ended, more = 0, True
    while more:
        try:
            with operation():
                found = end(limit=chunk_size, now=now)
        except OperationalError:
            raise
        except (Busy, DatabaseError):
            return ended
        ended += found
        more = found > 0
    return ended


def end_pause(session_id: int, *, now: datetime) -> None:
    """End a session that was seen paused, where its pause is over by now; one that goes on is left."""
    with suppress(LostRace), operation():
        ends.lock_idle(session_id, now=now)


def bring_current(permission_id: int, *, now: datetime) -> SpendingPermission:
    """Let everything happen to a permission that time alone brings; return it as it is then."""
    return again(lambda: _bring_current_once(permission_id, now=now))


def _bring_current_once(permission_id: int, *, now: datetime) -> SpendingPermission:
    with operation():
        permission, _ = lock_current(permission_id, now=now)
    return permission


def lock_current(
    permission_id: int, *, now: datetime
) -> tuple[SpendingPermission, SpendingPermission | None]:
    """Lock a permission after everything that time alone brings to its wallet; a step.

    Returns it with the wallet's active permission (which may be itself). The active one is locked and settled
    first: a queued permission may have become active, and used, before its own last day.
    """
    require_transaction()
    wallet = SpendingPermission.objects.values("client_id", "wallet_address").get(pk=permission_id)
    active = queries.lock_active(**wallet)
    if active is not None:
        active = succession.settle(active, now=now)
    permission = queries.lock(permission_id)
    if permission.status in EXPIRING and permission.expires_at <= now:
        _end(permission, to=PermissionStatus.EXPIRED, at=permission.expires_at, now=now)
    elif is_unpaid(permission, now=now):
        _end(permission, to=PermissionStatus.LAPSED, at=permission.pay_before, now=now)
    return permission, active


def is_unpaid(permission: SpendingPermission, *, now: datetime) -> bool:
    """Whether a pending permission's payment window is over without enough money in sight.

    The window is judged by first sight, not by confirmation, and only once the watcher has looked at the
    address after its end: an outage of the node makes nobody late.
    """
    if permission.status != PermissionStatus.PENDING or permission.pay_before > now:
        return False
    if permission.expires_at <= now:
        return True
    return permission.window_closed_at is not None and _in_window_zat(permission) < permission.requested_zat


def _in_window_zat(permission: SpendingPermission) -> int:
    seen = Deposit.objects.filter(permission=permission, first_seen_at__lte=permission.window_closed_at)
    total = seen.filter(status__in=ARRIVED).aggregate(total=Sum("amount_zat"))["total"]
    return int(total or 0)


def _end(permission: SpendingPermission, *, to: PermissionStatus, at: datetime, now: datetime) -> None:
    permissions.change_status(permission, to=to, effective_at=at, booked_at=now, actor=audit.ENGINE)
