"""Fields of what is asked of an Ethereum wallet: its address, whole amounts of a token, signatures."""

import re
from types import MappingProxyType
from typing import Any

from rest_framework.exceptions import ValidationError

from billing.ethereum import addresses, signatures
from billing.linked import is_ethereum
from core.errors import Invalid
from core.units import MAX_UINT256
from paygo.api.fields import AddressField, StrictField

_WHOLE = re.compile(r"[1-9][0-9]{0,77}")


class EthereumAddressField(StrictField):
    """An address with its checksum (EIP-55)."""

    openapi = MappingProxyType({"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"})

    def to_internal_value(self, data: Any) -> str:
        """Return the address."""
        return _address(data, field=str(self.field_name))


class StreamingWalletField(AddressField):
    """Whose stream it is: a Zcash address of the service's network, or an Ethereum one with its checksum."""

    def to_internal_value(self, data: Any) -> str:
        """Return the canonical form."""
        if is_ethereum(_text(data)):
            return _address(data, field=str(self.field_name))
        return super().to_internal_value(data)


class UnitsTextField(StrictField):
    """A whole number of a token's smallest unit, above 0, as a text: JSON numbers lose digits."""

    openapi = MappingProxyType({"type": "string", "pattern": "^[1-9][0-9]{0,77}$"})

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if not _WHOLE.fullmatch(_text(data)):
            raise ValidationError("must be plain digits, a whole number above 0", code="invalid")
        if int(data) > MAX_UINT256:
            raise ValidationError("must be below 2^256", code="limit_exceeded")
        return int(data)


class SignatureField(StrictField):
    """A signature as a wallet gives it: 65 bytes of a key, up to 320 of a contract."""

    openapi = MappingProxyType({"type": "string", "pattern": "^0x([0-9a-fA-F]{2}){1,320}$"})

    def to_internal_value(self, data: Any) -> bytes:
        """Return its bytes."""
        try:
            return signatures.parse(_text(data), field=str(self.field_name))
        except Invalid as error:
            raise ValidationError(error.detail, code=error.code) from error


class ConsentField(StrictField):
    """The viewer's word, which only `true` gives."""

    openapi = MappingProxyType({"type": "boolean", "const": True})

    def to_internal_value(self, data: Any) -> bool:
        """Return true."""
        if data is not True:
            raise ValidationError(
                "payments on this chain are public; the viewer must agree to that", code="consent_required"
            )
        return True


def _address(data: Any, *, field: str) -> str:
    try:
        return addresses.parse(_text(data), field=field)
    except Invalid as error:
        raise ValidationError(error.detail, code=error.code) from error


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise ValidationError("must be a text", code="invalid")
    return data
