"""How pages show amounts, instants, spans of time and payment codes."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

import segno
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.amounts import MS_PER_HOUR, div_floor, zec_text

register = template.Library()

_SHORT = 36
_MS_PER_MINUTE = 60_000
# Of what a statement of a permission or a vendor has.
_MOVEMENTS = {
    "deposit": gettext_lazy("Paid in"),
    "reversal": gettext_lazy("Paid in, and taken back by the network"),
    "loss": gettext_lazy("Borne by the service"),
    "loss_covered": gettext_lazy("What the service had borne"),
    "stream": gettext_lazy("Stream"),
    "running": gettext_lazy("Stream that runs"),
    "fee": gettext_lazy("Fee of the service"),
    "refund": gettext_lazy("Refund"),
    "refund_cancelled": gettext_lazy("Refund, taken back"),
    "payout": gettext_lazy("Payout"),
    "payout_cancelled": gettext_lazy("Payout, taken back"),
}


@register.filter
def zec(amount_zat: int) -> str:
    """Return an amount of zatoshis in ZEC (`10`, `0.00000001`)."""
    return zec_text(amount_zat)


@register.filter
def movement(kind: str) -> str:
    """Return why money moved, in words for who reads a statement."""
    return str(_MOVEMENTS.get(kind, kind))


@register.filter
def short(address: str) -> str:
    """Return the first 20 characters of an address, enough to tell it (ZIP-316), and its last six."""
    return address if len(address) <= _SHORT else f"{address[:20]}…{address[-6:]}"


@register.filter
def span(duration_ms: int) -> str:
    """Return a span of time in two units at most, rounded down: `3 h 20 min`, `4 min 5 s`, `12 s`.

    The spaces do not break.
    """
    hours, rest_ms = divmod(duration_ms, MS_PER_HOUR)
    minutes, rest_ms = divmod(rest_ms, _MS_PER_MINUTE)
    values = {"hours": hours, "minutes": minutes, "seconds": div_floor(rest_ms, 1000)}
    if hours:
        text = _("%(hours)d h %(minutes)d min") if minutes else _("%(hours)d h")
    elif minutes:
        text = _("%(minutes)d min %(seconds)d s") if values["seconds"] else _("%(minutes)d min")
    else:
        text = _("%(seconds)d s")
    return (text % values).replace(" ", "\N{NO-BREAK SPACE}")


@register.filter
def exact_seconds(duration_ms: int) -> str:
    """Return a span of time in seconds, to the millisecond."""
    return (
        f"{Decimal(duration_ms).scaleb(-3):f}".rstrip("0").rstrip(".")
        if duration_ms % 1000
        else str(div_floor(duration_ms, 1000))
    )


@register.simple_tag
def instant(moment: datetime) -> SafeString:
    """Return an instant in UTC; the page's script shows it in the viewer's zone."""
    moment = moment.astimezone(UTC)
    iso = moment.isoformat().replace("+00:00", "Z")
    return format_html('<time datetime="{}" data-local>{} UTC</time>', iso, f"{moment:%Y-%m-%d %H:%M}")


@register.simple_tag
def countdown(moment: datetime) -> SafeString:
    """Return an instant to which the page's script counts down."""
    return format_html('<span class="count" data-countdown="{}" role="timer"></span>', moment.isoformat())


@register.simple_tag
def qr(uri: str, label: str) -> SafeString:
    """Return a text as a QR code: dark on light in either scheme, as scanners need it."""
    # What is drawn has numbers in it, and nothing of the text.
    return format_html('<div role="img" aria-label="{}">{}</div>', label, mark_safe(_drawn(uri)))  # noqa: S308


@lru_cache(maxsize=256)
def _drawn(text: str) -> str:
    """Draw a code; a page that is looked at asks for the same one every few seconds, and drawing is slow."""
    code = segno.make_qr(text, error="m", mode="byte", boost_error=False)
    return code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
