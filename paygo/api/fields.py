"""Fields of requests: each takes exactly one type and says what is wrong in a code and a sentence.

DRF's own number fields take `true`, `1_000` and digits of other scripts.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.utils.serializer_helpers import BindingDict

from core.amounts import MAX_ZEC, AmountError, parse_zec
from core.errors import Invalid
from zcash.addresses import MAX_LENGTH, Network
from zcash.errors import AddressInvalid
from zcash.wallets import canonical_wallet, viewers_wallet

_MAX_UNKNOWN_NAMED = 10
_MAX_NAME = 64
_MAX_URL = 2000
# Without credentials, which look like a host to a reader.
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+([/?#][!-~]*)?")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class StrictField(serializers.Field[Any, Any, Any, Any]):
    """A field that says of itself, in OpenAPI's terms, what it takes."""

    openapi: Mapping[str, Any]


class ZecField(StrictField):
    """An amount in ZEC, above 0, at most 8 decimals; its value is zatoshis."""

    openapi = MappingProxyType({"type": "number", "exclusiveMinimum": 0, "maximum": MAX_ZEC})

    def to_internal_value(self, data: Any) -> int:
        """Return the zatoshis of a JSON number or a plain decimal text."""
        try:
            return parse_zec(data)
        except AmountError as error:
            raise ValidationError(str(error), code="amount_invalid") from error


class WholeField(StrictField):
    """A whole number within bounds, both included; no boolean, no `30.0`, no text."""

    def __init__(self, *, low: int, high: int, **options: Any) -> None:
        super().__init__(**options)
        self.low = low
        self.high = high
        self.openapi = {"type": "integer", "minimum": low, "maximum": high}

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if not isinstance(data, int) or isinstance(data, bool):
            raise ValidationError("must be a whole number", code="invalid")
        if not self.low <= data <= self.high:
            raise ValidationError(f"must be between {self.low} and {self.high}", code="limit_exceeded")
        return data


class WholeTextField(WholeField):
    """A whole number within bounds, as a query has it: plain digits."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if not re.fullmatch(r"[0-9]{1,15}", _text(data)):
            raise ValidationError("must be a whole number", code="invalid")
        return super().to_internal_value(int(data))


class AddressField(StrictField):
    """A Zcash address of the service's network; its value is the canonical form."""

    openapi = MappingProxyType({"type": "string", "minLength": 1, "maxLength": MAX_LENGTH})
    canonical = staticmethod(canonical_wallet)

    def to_internal_value(self, data: Any) -> str:
        """Return the canonical form."""
        try:
            return self.canonical(_text(data))
        except AddressInvalid as error:
            raise ValidationError(error.detail, code=error.code) from error


class ViewersAddressField(AddressField):
    """An address that is a viewer's, and that may be paid: not one of the service's own."""

    canonical = staticmethod(viewers_wallet)


class PatternField(StrictField):
    """A text that a regular expression matches from its first to its last character."""

    pattern: str
    description: str

    def to_internal_value(self, data: Any) -> str:
        """Return the text as it is."""
        if not re.fullmatch(self.pattern, _text(data)):
            raise ValidationError(f"must be {self.description}", code="invalid")
        return str(data)


class VendorIdField(PatternField):
    """A vendor's slug."""

    pattern = r"[A-Za-z0-9_-]{1,64}"
    description = "1 to 64 letters, digits, _ or -"
    openapi = MappingProxyType({"type": "string", "pattern": f"^{pattern}$"})


class VendorNameField(PatternField):
    """A vendor's name as people read it."""

    pattern = r"(?!\s)[^\x00-\x1f\x7f]{1,200}(?<!\s)"
    description = "1 to 200 characters on one line, without a space at either end"
    openapi = MappingProxyType({"type": "string", "minLength": 1, "maxLength": 200})


class TextField(StrictField):
    """A text on one line, of at most so many characters."""

    def __init__(self, *, most: int, least: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self._lengths = range(least, most + 1)
        self.openapi = {"type": "string", "minLength": least, "maxLength": most}

    def to_internal_value(self, data: Any) -> str:
        """Return the text as it is."""
        if len(_text(data)) not in self._lengths or re.search(r"[\x00-\x1f\x7f]", data):
            least, most = self._lengths[0], self._lengths[-1]
            raise ValidationError(f"must be {least} to {most} characters on one line", code="invalid")
        return str(data)


class DescriptionField(TextField):
    """What a client writes for itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(least=0, most=200, **options)


class MailAddressField(TextField):
    """The address of somebody who reads mail."""

    def __init__(self, **options: Any) -> None:
        super().__init__(most=254, **options)
        self.openapi = {**self.openapi, "format": "email"}

    def to_internal_value(self, data: Any) -> str:
        """Return the address as it is."""
        address = super().to_internal_value(data)
        try:
            validate_email(address)
            # What a mail server is told of a domain has to be ASCII.
            address.rpartition("@")[2].encode("idna")
        except (DjangoValidationError, UnicodeError) as error:
            raise ValidationError("must be a mail address", code="invalid") from error
        return address


class UuidTextField(StrictField):
    """A UUID in the usual form with hyphens."""

    openapi = MappingProxyType({"type": "string", "format": "uuid"})

    def to_internal_value(self, data: Any) -> UUID:
        """Return the UUID."""
        if not _UUID.fullmatch(_text(data)):
            raise ValidationError("must be a UUID", code="invalid")
        return UUID(data)


class InstantField(StrictField):
    """An instant with its offset, as RFC 3339 has it."""

    openapi = MappingProxyType({"type": "string", "format": "date-time"})

    def to_internal_value(self, data: Any) -> datetime:
        """Return the instant."""
        if not _INSTANT.fullmatch(_text(data)):
            raise ValidationError("must be an instant with an offset (2026-02-01T00:00:00Z)", code="invalid")
        try:
            return datetime.fromisoformat(data.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValidationError("there is no such instant", code="invalid") from error


class SessionCodeField(PatternField):
    """A session code as `POST /api/v1/sessions` gave it."""

    pattern = r"[A-Z0-9]{12}"
    description = "12 capital letters or digits"
    openapi = MappingProxyType({"type": "string", "pattern": f"^{pattern}$"})


class ClientRefField(PatternField):
    """The client's own name for what it starts."""

    pattern = r"(?s:.{0,200})"
    description = "at most 200 characters"
    openapi = MappingProxyType({"type": "string", "maxLength": 200})


class WebAddressField(StrictField):
    """Where a viewer's browser may be sent: an absolute http(s) URL, and https alone on the main network."""

    openapi = MappingProxyType({"type": "string", "format": "uri", "maxLength": _MAX_URL})

    def to_internal_value(self, data: Any) -> str:
        """Return the URL as it is."""
        if not _URL.fullmatch(_text(data)) or len(data) > _MAX_URL or not _is_host(data):
            raise ValidationError("must be an absolute http:// or https:// URL in ASCII", code="invalid")
        if settings.ZCASH_NETWORK == Network.MAIN and not data.startswith("https://"):
            raise ValidationError("must be an https:// URL on the main network", code="invalid")
        return str(data)


class ChoiceField(StrictField):
    """One of some texts."""

    def __init__(self, choices: Iterable[str], **options: Any) -> None:
        super().__init__(**options)
        self.choices = tuple(choices)
        nothing = [None] if self.allow_null else []
        # Not `enum`: the schema generator moves those to components under names of its own making.
        self.openapi = {"type": "string", "oneOf": [{"const": each} for each in [*self.choices, *nothing]]}

    def to_internal_value(self, data: Any) -> str:
        """Return the text as it is."""
        if data not in self.choices:
            raise ValidationError(f"must be one of {', '.join(self.choices)}", code="invalid")
        return str(data)


class ChoicesField(StrictField):
    """Some of some texts, each once; none is no choice."""

    def __init__(self, choices: Iterable[str], **options: Any) -> None:
        super().__init__(**options)
        self.choices = tuple(choices)
        one = {"type": "string", "oneOf": [{"const": each} for each in self.choices]}
        self.openapi = {"type": "array", "uniqueItems": True, "maxItems": len(self.choices), "items": one}

    def to_internal_value(self, data: Any) -> list[str]:
        """Return them in the order of the choices, so that the same choice is the same request."""
        if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
            raise ValidationError("must be a list of texts", code="invalid")
        if unknown := sorted(set(data) - set(self.choices)):
            raise ValidationError(f"there is no {unknown[0][:_MAX_NAME]}", code="invalid")
        if len(set(data)) < len(data):
            raise ValidationError("names one twice", code="invalid")
        return [each for each in self.choices if each in data]


class StrictSerializer(serializers.Serializer[Any]):
    """A request body without fields that the call does not know."""

    @property
    def fields(self) -> BindingDict:
        """The fields, made once: they hold nothing of a request, and copies cost more than their use."""
        return _fields_of(type(self))

    def to_internal_value(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the values of all fields, or say what is wrong with every one of them."""
        unknown = {
            name[:_MAX_NAME]: [ErrorDetail("this call has no such field", code="unknown_field")]
            for name in sorted(data.keys() - self.fields.keys())[:_MAX_UNKNOWN_NAMED]
        }
        try:
            values: dict[str, Any] = super().to_internal_value(data)
        except ValidationError as error:
            raise ValidationError({**_by_field(error), **unknown}) from error
        if unknown:
            raise ValidationError(unknown)
        return values


@cache
def _fields_of(kind: type[StrictSerializer]) -> BindingDict:
    found: BindingDict = super(StrictSerializer, kind()).fields
    return found


def path_uuid(text: str, *, field: str) -> UUID:
    """Return the UUID that a part of a path is.

    Raises:
        Invalid: it is none, in the usual form with hyphens.
    """
    if not _UUID.fullmatch(text):
        raise Invalid("must be a UUID", field=field)
    return UUID(text)


def path_value(of: StrictField, text: str, *, name: str) -> Any:
    """Return what a part of a path or query is, read as the body's field of the same kind.

    Raises:
        ValidationError: naming the part.
    """
    try:
        return of.run_validation(text)
    except ValidationError as error:
        raise ValidationError({name: error.detail}) from error


def _is_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _by_field(error: ValidationError) -> dict[str, Any]:
    found: Any = error.detail
    return dict(found)


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise ValidationError("must be a text", code="invalid")
    return data
