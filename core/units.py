"""Amounts of a token in its smallest unit: whole numbers of up to 256 bits, never a float."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models

_ST = TypeVar("_ST", contravariant=True)
_GT = TypeVar("_GT", covariant=True)

if TYPE_CHECKING:
    _Base = models.DecimalField
else:

    class _Base(models.DecimalField):
        def __class_getitem__(cls, _types):
            return cls


MAX_UINT256 = 2**256 - 1
# The dearest rate that the metering arithmetic is asked to hold, in smallest units an hour.
MAX_RATE_UNITS = 10**30


class UnitsField(_Base[_ST, _GT]):
    """A NUMERIC(78, 0) that is an `int` in Python: every uint256 fits."""

    _pyi_private_set_type: int
    _pyi_private_get_type: int  # type: ignore[assignment]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": 78, "decimal_places": 0})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def from_db_value(self, value: Any, *_context: Any) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> Any:
        return None if value is None else int(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, int):
            return value
        return super().get_db_prep_save(value, connection)

    def get_db_prep_value(self, value: Any, *context: Any, **options: Any) -> Any:
        if isinstance(value, int):
            return value
        return super().get_db_prep_value(value, *context, **options)
