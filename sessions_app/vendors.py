"""Vendors: somebody whose streams are paid for."""

from datetime import datetime

from django.core.exceptions import ValidationError

from core.errors import Invalid
from core.models import User
from sessions_app.models import Vendor


def create(
    client: User, *, slug: str, name: str, now: datetime, price_zat_per_hour: int | None = None
) -> Vendor:
    """Make a vendor of a client; without a price its sessions cost what the viewer's permission allows.

    Raises:
        Invalid: the slug or the name cannot be accepted, or the client has a vendor of this slug.
    """
    vendor = Vendor(
        client=client, slug=slug, name=name, price_zat_per_hour=price_zat_per_hour, created_at=now
    )
    try:
        vendor.full_clean()
    except ValidationError as error:
        field, texts = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(texts), field=field) from error
    vendor.save()
    return vendor
