"""The forms on which an operator says why.

An open form may be old, or sent twice: what its operator was shown, and decided by, is sent along, and the
verb refuses to do it to a row of which that has changed.
"""

from typing import Any

from django import forms

from billing.operator_rules import LONGEST_REASON, SHORTEST_REASON


class ReasonForm(forms.Form):
    """Why an operator does something."""

    reason = forms.CharField(
        min_length=SHORTEST_REASON,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text="It is kept in the log, with your name.",
    )

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
