"""The forms on which an operator says why."""

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


class ExtendForm(ReasonForm):
    """By how many days, and why."""

    days = forms.IntegerField(min_value=1, max_value=366, initial=7)
    field_order = ["days", "reason"]
