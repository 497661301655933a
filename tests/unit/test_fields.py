"""Strict fields: one type each, every error by name."""

from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from core.errors import Invalid
from paygo.api.fields import (
    AddressField,
    ClientRefField,
    SessionCodeField,
    StrictField,
    StrictSerializer,
    VendorIdField,
    WholeField,
    ZecField,
    path_uuid,
    path_value,
)

T_ADDRESS = "tmGys6dBuEGjch5LFnhdo5gpSa7jiNRWse6"


class Order(StrictSerializer):
    amount = ZecField()
    days = WholeField(low=1, high=30, required=False)


def codes(data: dict[str, Any]) -> dict[str, list[str]]:
    serializer = Order(data=data)
    serializer.is_valid()
    return {field: [each.code for each in found] for field, found in serializer.errors.items()}


@pytest.mark.parametrize(
    ("given", "zat"),
    [
        (1, 10**8),
        (Decimal("0.00000001"), 1),
        ("2.5", 25 * 10**7),
        (Decimal(21000000), 2_100_000_000_000_000),
    ],
)
def test_takes_an_amount_as_zatoshis(given: Any, zat: int) -> None:
    assert ZecField().run_validation(given) == zat


@pytest.mark.parametrize(
    "given",
    [
        True,
        0,
        -1,
        Decimal("0.000000001"),
        Decimal("21000000.00000001"),
        Decimal("1e400"),
        Decimal("NaN"),
        "1_000",
        "\u0663",
        " 1",
        "1\n",
        "1e1",
        "",
        [],
        {},
        10**30,
    ],
)
def test_refuses_what_is_no_amount(given: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ZecField().run_validation(given)

    assert [each.code for each in caught.value.detail] == ["amount_invalid"]  # type: ignore[union-attr]


@pytest.mark.parametrize("given", [True, Decimal(5), 5.0, "5", [], None, 10**30])
def test_refuses_what_is_no_whole_number_within_bounds(given: Any) -> None:
    with pytest.raises(ValidationError):
        WholeField(low=1, high=9).run_validation(given)


@pytest.mark.parametrize("given", [1, 9])
def test_takes_both_bounds(given: int) -> None:
    assert WholeField(low=1, high=9).run_validation(given) == given


@pytest.mark.parametrize(
    ("field", "good"),
    [
        (VendorIdField(), ["vendor123", "A_b-9", "x" * 64]),
        (SessionCodeField(), ["ABC123XYZ789"]),
        (ClientRefField(), ["", "living room\n\u00e9\U0001f600", "x" * 200]),
    ],
)
def test_takes_a_text_of_the_right_form(field: StrictField, good: list[str]) -> None:
    assert [field.run_validation(each) for each in good] == good


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        (VendorIdField(), ["", "a b", "x" * 65, "v\n", "v\u0660", "../x", 5, None, True, ["v"], {"v": 1}]),
        (
            SessionCodeField(),
            ["", "abc123xyz789", "ABC123XYZ78", "ABC123XYZ789\n", "ABC123XYZ78\u0661", 5, None],
        ),
        (ClientRefField(), ["x" * 201, 5, None, True, ["x"]]),
        (
            AddressField(),
            ["", "nonsense", "x" * 5000, "0x" + "a" * 40, "\U0001f600", 5, None, True, [T_ADDRESS]],
        ),
    ],
)
def test_refuses_a_text_of_another_form(field: StrictField, bad: list[Any]) -> None:
    for each in bad:
        with pytest.raises(ValidationError):
            field.run_validation(each)


def test_names_every_field_that_is_wrong_at_once() -> None:
    assert codes({"days": "x", "colour": 1}) == {
        "amount": ["required"],
        "days": ["invalid"],
        "colour": ["unknown_field"],
    }


def test_names_an_unknown_field_when_all_others_are_right() -> None:
    assert codes({"amount": 1, "amout": 1}) == {"amout": ["unknown_field"]}


def test_names_at_most_ten_unknown_fields_and_cuts_their_names() -> None:
    found = codes({"amount": 1, **{f"{number:03}{'x' * 500}": 1 for number in range(500)}})

    assert len(found) == 10
    assert max(map(len, found)) == 64


def test_refuses_null_where_a_field_is_optional_too() -> None:
    assert codes({"amount": None, "days": None}) == {"amount": ["null"], "days": ["null"]}


@pytest.mark.parametrize("text", ["", "x", "00000000-0000-4000-8000-00000000000\u0660", "0" * 32, "0" * 36])
def test_refuses_a_path_that_is_no_uuid(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        path_uuid(text, field="permission_id")

    assert caught.value.field == "permission_id"


def test_names_the_part_of_the_path_that_is_wrong() -> None:
    with pytest.raises(ValidationError) as caught:
        path_value(SessionCodeField(), "x", name="session_code")

    assert isinstance(caught.value.detail, dict)
    assert list(caught.value.detail) == ["session_code"]
