"""The call for a permission's payment as a QR code, to be shown to the viewer's wallet."""

from collections.abc import Mapping
from io import BytesIO
from types import MappingProxyType
from typing import NamedTuple

import segno
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from billing import dues
from core import clock
from paygo.api.fields import path_uuid
from paygo.api.schema import IMAGE_IN_QUERY, PERMISSION_IN_PATH, documented
from paygo.api.views import ApiView, client_id

_FORMAT = "format"
# ISO/IEC 18004: scanners need four modules of light around the symbol.
_QUIET_MODULES = 4
_PIXELS_PER_MODULE = 8


class _Image(NamedTuple):
    kind: str
    media_type: str
    options: Mapping[str, str]


_IMAGES: Mapping[str, _Image] = MappingProxyType(
    {
        # With a unit there is a viewBox, without which a page cannot scale it.
        "svg": _Image("svg", "image/svg+xml", {"unit": "px"}),
        "png": _Image("png", "image/png", {}),
    }
)


class PaymentQr(ApiView):
    """The QR code of what is still to be paid for one permission."""

    scopes = MappingProxyType({"GET": "permissions:read"})

    @documented(
        "Show the payment of a permission as a QR code",
        answers={},
        images=[image.media_type for image in _IMAGES.values()],
        problems=(400, 404, 409, 410, 503),
        parameters=[PERMISSION_IN_PATH, IMAGE_IN_QUERY],
    )
    def get(self, request: Request, permission_id: str) -> HttpResponse:
        """Answer the payment URI for what is missing, as an image."""
        image = _image(request)
        due = dues.of_client(
            client_id=client_id(request),
            public_id=path_uuid(permission_id, field="permission_id"),
            now=clock.now(),
        )
        # What is missing changes with every payment: an old code would be paid twice.
        headers = {"Cache-Control": "no-store"}
        return HttpResponse(_draw(due.uri, image=image), content_type=image.media_type, headers=headers)


def _draw(text: str, *, image: _Image) -> bytes:
    """Return the QR code of a text as an image that stands alone: dark on light, level M, bytes."""
    code = segno.make_qr(text, error="m", mode="byte", boost_error=False)
    content = BytesIO()
    code.save(
        content,
        kind=image.kind,
        border=_QUIET_MODULES,
        scale=_PIXELS_PER_MODULE,
        dark="#000",
        light="#fff",
        **image.options,
    )
    return content.getvalue()


def _image(request: Request) -> _Image:
    query = request.query_params
    if unknown := sorted(query.keys() - {_FORMAT}):
        raise ValidationError({unknown[0][:64]: ["this call has no such parameter"]}, code="unknown_field")
    given = query.getlist(_FORMAT)
    if len(given) > 1:
        raise ValidationError({_FORMAT: ["is given more than once"]}, code="invalid")
    if given and given[0] not in _IMAGES:
        raise ValidationError({_FORMAT: [f"must be one of {', '.join(_IMAGES)}"]}, code="invalid")
    return _IMAGES[given[0] if given else "svg"]
