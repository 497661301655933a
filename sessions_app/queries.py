"""Reads of vendors and sessions, and the helper that locks a session (after its permission)."""

from collections.abc import Sequence

from core.db import require_transaction
from sessions_app.errors import SessionNotFound, VendorNotFound
from sessions_app.models import StreamingSession, Vendor, VendorPrice, VendorTokenPrice
from sessions_app.rules import OPEN, SessionStatus


def vendor_of_client(*, client_id: int, slug: str) -> Vendor:
    """Return a client's vendor that takes sessions.

    Raises:
        VendorNotFound: it does not exist, is another client's, or takes no sessions any more.
    """
    found = find_vendor(client_id=client_id, slug=slug)
    if not found.is_active:
        raise VendorNotFound
    return found


def find_vendor(*, client_id: int, slug: str) -> Vendor:
    """Return a client's vendor, whether it takes sessions or not.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
    """
    found = Vendor.objects.filter(client_id=client_id, slug=slug).first()
    if found is None:
        raise VendorNotFound
    return found


def vendors_of_client(*, client_id: int, after: str, limit: int) -> list[Vendor]:
    """Return a client's vendors whose slugs come after one, in order of slugs; of all from the empty one."""
    found = Vendor.objects.filter(client_id=client_id, slug__gt=after)
    return list(found.order_by("slug")[:limit])


def prices(vendor: Vendor, *, before: int | None, limit: int) -> list[VendorPrice]:
    """Return versions of a vendor's price with the vendor, latest first; those before one, if given."""
    found = VendorPrice.objects.filter(vendor=vendor).select_related("vendor")
    if before is not None:
        found = found.filter(version__lt=before)
    return list(found.order_by("-version")[:limit])


def token_prices(vendor: Vendor, *, before: int | None, limit: int) -> list[VendorTokenPrice]:
    """Return versions of a vendor's prices in tokens, latest first; those before one, if given."""
    found = VendorTokenPrice.objects.filter(vendor=vendor).select_related("vendor")
    if before is not None:
        found = found.filter(version__lt=before)
    return list(found.order_by("-version")[:limit])


def token_price(*, vendor_id: int, version: int | None, chain_id: int, token_address: str) -> int | None:
    """Return what a version of a vendor's prices says of a token, in units an hour; None: nothing."""
    if version is None:
        return None
    found = VendorTokenPrice.objects.filter(
        vendor=vendor_id, chain_id=chain_id, token_address=token_address, version__lte=version
    )
    return found.order_by("-version").values_list("price_units_per_hour", flat=True).first()


def of_client(*, client_id: int, code: str) -> StreamingSession:
    """Return a client's session by its code.

    Raises:
        SessionNotFound: it does not exist, or is another client's.
    """
    found = StreamingSession.objects.select_related("vendor").filter(client_id=client_id, code=code).first()
    if found is None:
        raise SessionNotFound
    return found


def newest(
    *,
    client_id: int,
    wallet_address: str | None,
    status: SessionStatus | None,
    before_id: int | None,
    limit: int,
) -> list[StreamingSession]:
    """Return a client's sessions, newest first: of one wallet, of one status, before one, where given."""
    found = StreamingSession.objects.filter(client_id=client_id)
    if wallet_address is not None:
        found = found.filter(wallet_address=wallet_address)
    if status is not None:
        found = found.filter(status=status)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return list(found.order_by("-id")[:limit])


def all_of(session_ids: Sequence[int]) -> list[StreamingSession]:
    """Return sessions with their vendors, newest first."""
    found = StreamingSession.objects.filter(pk__in=session_ids).select_related("vendor")
    return list(found.order_by("-id"))


def lock(session_id: int) -> StreamingSession:
    """Lock one session and return it as it is now; the caller holds its permission's lock."""
    require_transaction()
    locked = StreamingSession.objects.select_related("vendor").select_for_update(no_key=True, of=("self",))
    return locked.get(pk=session_id)


def open_of_wallet(*, client_id: int, wallet_address: str) -> list[StreamingSession]:
    """Return the wallet's open sessions at this client, oldest first."""
    found = StreamingSession.objects.filter(
        client_id=client_id, wallet_address=wallet_address, status__in=OPEN
    )
    return list(found.order_by("id"))
