"""Reads of vendors and sessions, and the helper that locks a session (after its permission)."""

from core.db import require_transaction
from sessions_app.errors import SessionNotFound, VendorNotFound
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import OPEN


def vendor_of_client(*, client_id: int, slug: str) -> Vendor:
    """Return a client's vendor.

    Raises:
        VendorNotFound: it does not exist, is another client's, or takes no sessions any more.
    """
    found = Vendor.objects.filter(client_id=client_id, slug=slug, is_active=True).first()
    if found is None:
        raise VendorNotFound
    return found


def of_client(*, client_id: int, code: str) -> StreamingSession:
    """Return a client's session by its code.

    Raises:
        SessionNotFound: it does not exist, or is another client's.
    """
    found = StreamingSession.objects.select_related("vendor").filter(client_id=client_id, code=code).first()
    if found is None:
        raise SessionNotFound
    return found


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
