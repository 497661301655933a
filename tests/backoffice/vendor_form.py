"""The form of a vendor, as a browser opens and sends it."""

from django.test import Client
from django.urls import reverse

from sessions_app.models import Vendor

REASON = "as its owner asked"
FIELDS = ("name", "price_zat_per_hour", "heartbeat_seconds", "is_active", "fee_bps")


def opened(operator: Client, vendor: Vendor) -> dict[str, object]:
    """Return what a browser would send of a vendor's form, hidden fields and all: a reason, and no change."""
    form = operator.get(page_of(vendor)).context["adminform"].form
    found = {name: form[name].value() for name in FIELDS}
    sent = {name: "" if value is None else value for name, value in found.items()}
    hidden = {f"initial-{name}": "" if value is None else str(value) for name, value in found.items()}
    # A box that is not ticked is not sent.
    said = {"reason": REASON}
    return {**hidden, **said, **{name: value for name, value in sent.items() if value is not False}}


def page_of(vendor: Vendor) -> str:
    return reverse("admin:sessions_app_vendor_change", args=[vendor.pk])
