"""The forms on which an operator says why.

An open form may be old, or sent twice: what its operator was shown, and decided by, is sent along, and the
verb refuses to do it to a row of which that has changed.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest

from billing import operators
from billing.operator_rules import LONGEST_REASON, SHORTEST_REASON
from billing.operators import Word
from core.errors import Invalid


class ReasonField(forms.CharField):
    """Why an operator does something, in as many letters as the log asks for."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            min_length=SHORTEST_REASON,
            max_length=LONGEST_REASON,
            help_text="It is kept in the log, with your name.",
            **kwargs,
        )

    def clean(self, value: Any) -> str:
        """Return the reason as the log will have it."""
        try:
            return operators.word(operator_id=None, name="", reason=super().clean(value)).reason
        except Invalid as error:
            raise forms.ValidationError(error.detail) from error


class ReasonForm(forms.Form):
    """Why an operator does something."""

    reason = ReasonField(widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}))

    @classmethod
    def shown(cls, _: Any) -> dict[str, Any]:
        """Return what a row says that the operator decides by."""
        return {}


class ApproveForm(ReasonForm):
    """Why a payment may go to the address that is shown."""

    address = forms.CharField(widget=forms.HiddenInput)

    @classmethod
    def shown(cls, row: Any) -> dict[str, Any]:
        """Return where it goes to."""
        return {"address": row.address}


class ExtendForm(ReasonForm):
    """By how many days, and why."""

    days = forms.IntegerField(min_value=1, max_value=366, initial=7)
    expires_at = forms.CharField(widget=forms.HiddenInput)
    field_order = ["days", "reason"]

    @classmethod
    def shown(cls, row: Any) -> dict[str, Any]:
        """Return its last day until now."""
        return {"expires_at": row.expires_at.isoformat()}


def word_of(request: HttpRequest, data: Mapping[str, Any]) -> Word:
    """Return what an operator has said on a form.

    Raises:
        Invalid: see billing.operators.
    """
    return operators.word(
        operator_id=int(request.user.pk or 0), name=request.user.get_username(), reason=data["reason"]
    )
