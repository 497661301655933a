"""An operator's hold on a permission, and its end."""

from datetime import datetime

from django.db import IntegrityError

from billing import expiry, metering, operators, succession
from billing.operator_rules import Verb
from billing.operators import Word
from core import db
from sessions_app.rules import EndReason
from zcash import permissions, queries
from zcash.errors import WrongPermissionState
from zcash.models import SpendingPermission
from zcash.rules import PermissionStatus, SuspensionReason


def hold(permission_id: int, *, word: Word, now: datetime) -> SpendingPermission:
    """Suspend a permission until an operator lifts that: its sessions end now and do not roll over.

    The next queued permission of the wallet becomes active.

    Raises:
        WrongPermissionState: it is neither active nor queued.
    """
    return db.again(lambda: _hold_once(permission_id, word=word, now=now))


def lift(permission_id: int, *, word: Word, now: datetime) -> SpendingPermission:
    """End an operator's hold: the permission is active again, or queued behind another one.

    Where its payment left the chain meanwhile, it stays suspended for that until the money is back.

    Raises:
        WrongPermissionState: no operator holds it.
    """
    return db.again(lambda: _lift_once(permission_id, word=word, now=now))


def _hold_once(permission_id: int, *, word: Word, now: datetime) -> SpendingPermission:
    with db.operation():
        permission, _ = expiry.lock_current(permission_id, now=now)
        was_active = permission.status == PermissionStatus.ACTIVE
        at = metering.effective_instant(permission, now=now) if was_active else now
        metering.stop_all(permission, at=at, now=now, reason=EndReason.PERMISSION_SUSPENDED)
        permissions.change_status(
            permission,
            to=PermissionStatus.SUSPENDED,
            effective_at=at,
            booked_at=now,
            actor=word.actor,
            details=word.details,
            suspended_for=SuspensionReason.HOLD,
        )
        if was_active:
            succession.hand_over(permission, at=at, now=now)
        operators.note(word, Verb.HOLD, permission=permission, now=now)
    return permission


def _lift_once(permission_id: int, *, word: Word, now: datetime) -> SpendingPermission:
    try:
        return _lift(permission_id, word=word, now=now)
    except IntegrityError as error:
        # Another permission of the wallet became active at this very moment.
        if db.constraint(error) == "zcash_permission_one_active":
            raise db.LostRace from error
        raise


def _lift(permission_id: int, *, word: Word, now: datetime) -> SpendingPermission:
    with db.operation():
        permission, active = expiry.lock_current(permission_id, now=now)
        if permission.suspended_for != SuspensionReason.HOLD:
            raise WrongPermissionState("no operator holds this permission")
        if permission.is_paid:
            at = queries.not_before_the_meter(permission, now=now)
            permissions.change_status(
                permission,
                to=_after_hold(permission, active),
                effective_at=at,
                booked_at=now,
                actor=word.actor,
                details=word.details,
            )
        else:
            permissions.hold_for_reversal(permission, now=now, actor=word.actor, details=word.details)
        operators.note(word, Verb.LIFT, permission=permission, now=now)
    return permission


def _after_hold(permission: SpendingPermission, active: SpendingPermission | None) -> PermissionStatus:
    if permission.remaining_zat == 0:
        return PermissionStatus.EXHAUSTED
    return PermissionStatus.QUEUED if active else PermissionStatus.ACTIVE
