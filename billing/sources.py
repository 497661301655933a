"""The two kinds of funding source as the meter sees them: a permission, or an Ethereum authorisation.

Everything else about settling is the same for both (`billing.metering`). A permission's money has been paid
in and becomes less; an authorisation's charges become more, up to its cutoff, and are collected later.
"""

from datetime import datetime

from billing.ethereum.rules import AuthorizationStatus
from billing.models_ethereum import Authorization
from core.db import require_transaction
from zcash import audit, permissions
from zcash.models import SpendingPermission
from zcash.rules import PermissionStatus
from zcash.sql import draw_one

Source = SpendingPermission | Authorization

_METER = [
    "open_transactions",
    "meter_rate_units_per_hour",
    "meter_started_at",
    "next_event_at",
    "settled_at",
]


def is_active(source: Source) -> bool:
    """Whether sessions may run on it."""
    return source.status in (PermissionStatus.ACTIVE, AuthorizationStatus.ACTIVE)


def remaining(source: Source) -> int:
    """Return what may still be used after `settled_at`, in smallest units of its asset."""
    return source.remaining_units if isinstance(source, Authorization) else source.remaining_zat


def use(source: Source, amount: int, *, to: datetime) -> None:
    """Count an amount as used up to an instant; it is not written."""
    if isinstance(source, Authorization):
        source.charged_units += amount
    else:
        source.remaining_zat -= amount
    source.settled_at = to


def draw(source: Source, amount: int, *, to: datetime, booked_at: datetime) -> None:
    """Take an amount from a locked source and move its `settled_at`; a step.

    A permission's audit log has a row of it; an authorisation's charges are what its transactions say.
    """
    if isinstance(source, Authorization):
        _charge(source, amount, to=to)
    else:
        draw_one(source.pk, drawn_zat=amount, to=to, booked_at=booked_at, actor=audit.ENGINE)
    use(source, amount, to=to)


def set_meter(
    source: Source,
    *,
    open_transactions: int,
    meter: tuple[int, datetime] | None,
    next_event_at: datetime | None,
    settled_at: datetime,
) -> None:
    """Write what runs on a locked source settled at an instant; see `zcash.permissions.set_meter`; a step."""
    if isinstance(source, SpendingPermission):
        permissions.set_meter(
            source,
            open_transactions=open_transactions,
            meter=meter,
            next_event_at=next_event_at,
            settled_at=settled_at,
        )
        return
    require_transaction()
    source.open_transactions = open_transactions
    source.meter_rate_units_per_hour, source.meter_started_at = meter or (None, None)
    source.next_event_at = next_event_at
    source.settled_at = settled_at
    source.save(update_fields=_METER)


def _charge(authorization: Authorization, amount: int, *, to: datetime) -> None:
    require_transaction()
    row = Authorization.objects.filter(pk=authorization.pk)
    row.update(charged_units=authorization.charged_units + amount, settled_at=to)
