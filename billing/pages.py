"""What an interval needs of the sources that it goes through, a page of primary keys at a time.

Both kinds have the same columns of a meter. Which statements settle them is all that differs.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from billing import authorization_sql, covering, events, sql, succession
from billing.models_ethereum import Authorization
from core import db
from zcash import audit, queries
from zcash.sql import Left, Page, draw, draw_page, left_of_page, lock_free


class Pages(Protocol):
    """All metered sources of one kind. What draws requires a transaction; the rest opens its own."""

    def name(self, key: int) -> int | str:
        """Return what a run says of one that could not be billed."""

    def draw(self, *, after_id: int, limit: int, to: datetime, before: datetime, skip_busy: bool) -> Page:
        """Settle the next page of what has one meter and no event; see `zcash.sql.draw_page`."""

    def left(self, *, after_id: int, last_id: int, to: datetime, before: datetime) -> Left:
        """Return what a page has left, and why."""

    def draw_shared(self, ids: Sequence[int], *, to: datetime) -> int:
        """Settle those with several meters that nobody holds, and no event; return how many."""

    def settle_events(self, ids: Sequence[int], *, to: datetime) -> tuple[int, int]:
        """Let happen by the set what is due; return (events, heirs settled without one)."""

    def settle_one(self, key: int, *, now: datetime, wait: bool) -> None:
        """Settle one, with all that happens to it."""

    def next_metered(self, *, after_id: int) -> int | None:
        """Return the next one, by primary key, that has open transactions."""

    def behind(self, ids: Sequence[int], *, at: datetime) -> list[int]:
        """Return which of some have open transactions that are not settled up to an instant."""


class PermissionPages:
    """Spending permissions."""

    def name(self, key: int) -> int | str:
        return key

    def draw(self, *, after_id: int, limit: int, to: datetime, before: datetime, skip_busy: bool) -> Page:
        return draw_page(
            sql.USED_BY_METER,
            after_id=after_id,
            limit=limit,
            to=to,
            before=before,
            booked_at=to,
            actor=audit.ENGINE,
            skip_busy=skip_busy,
        )

    def left(self, *, after_id: int, last_id: int, to: datetime, before: datetime) -> Left:
        return left_of_page(after_id=after_id, last_id=last_id, to=to, before=before)

    def draw_shared(self, ids: Sequence[int], *, to: datetime) -> int:
        locked = {"ids": lock_free(ids)}
        return draw(sql.USED_BY_METERS, locked, to=to, booked_at=to, actor=audit.ENGINE)

    def settle_events(self, ids: Sequence[int], *, to: datetime) -> tuple[int, int]:
        return events.settle_events(ids, to=to, booked_at=to)

    def settle_one(self, key: int, *, now: datetime, wait: bool) -> None:
        succession.settle_one(key, now=now, wait=wait)

    def next_metered(self, *, after_id: int) -> int | None:
        return queries.next_metered(after_id=after_id)

    def behind(self, ids: Sequence[int], *, at: datetime) -> list[int]:
        return queries.metered_behind(ids, at=at)


class AuthorizationPages:
    """Ethereum authorisations; what happens to them, and what has several meters, goes one by one."""

    def name(self, key: int) -> int | str:
        return f"authorization {key}"

    def draw(
        self,
        *,
        after_id: int,
        limit: int,
        to: datetime,
        before: datetime,
        skip_busy: bool,  # noqa: ARG002  It never waits for a row that somebody holds.
    ) -> Page:
        db.require_transaction()
        page = {"after_id": after_id, "limit": limit, "to": to, "before": before}
        return Page(*db.row(authorization_sql.DRAW_PAGE, page))

    def left(self, *, after_id: int, last_id: int, to: datetime, before: datetime) -> Left:
        page = {"after_id": after_id, "last_id": last_id, "to": to, "before": before}
        return Left(*db.row(authorization_sql.LEFT_OF_PAGE, page))

    def draw_shared(self, ids: Sequence[int], *, to: datetime) -> int:
        raise NotImplementedError("what a page leaves goes one by one")

    def settle_events(self, ids: Sequence[int], *, to: datetime) -> tuple[int, int]:
        raise NotImplementedError("what a page leaves goes one by one")

    def settle_one(self, key: int, *, now: datetime, wait: bool) -> None:
        covering.settle_one(key, now=now, wait=wait)

    def next_metered(self, *, after_id: int) -> int | None:
        metered = Authorization.objects.filter(open_transactions__gt=0, pk__gt=after_id)
        return metered.order_by("pk").values_list("pk", flat=True).first()

    def behind(self, ids: Sequence[int], *, at: datetime) -> list[int]:
        behind = Authorization.objects.filter(pk__in=ids, open_transactions__gt=0, settled_at__lt=at)
        return list(behind.order_by("pk").values_list("pk", flat=True))


# In this order: what happens to a permission may let its sessions go on with an authorisation.
ALL: tuple[Pages, ...] = (PermissionPages(), AuthorizationPages())
