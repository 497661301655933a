"""The window on what vendors cost in tokens: versions that are added and never changed."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from billing import token_prices
from billing.ethereum import chains
from billing.ethereum.errors import ConfigurationUnfit
from core import clock
from core.units import MAX_RATE_UNITS
from paygo.backoffice.base import ReadOnlyAdmin, link_column
from paygo.backoffice.reasons import ReasonField, word_of
from sessions_app.models import VendorTokenPrice


class TokenPriceForm(forms.ModelForm):
    """The next version of a vendor's prices in tokens."""

    token = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget, help_text="One that the service accepts (ETHEREUM_CHAINS_FILE)."
    )
    price = forms.IntegerField(
        label="Price (smallest units an hour)",
        min_value=1,
        max_value=MAX_RATE_UNITS,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: what the viewer's authorisation says. It is for sessions that start from now on; "
        "viewers who have signed for less cannot stream there with that.",
    )
    reason = ReasonField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    class Meta:
        model = VendorTokenPrice
        fields = ("vendor",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "token" in self.fields:
            self.fields["token"].choices = _tokens()  # type: ignore[attr-defined]


@admin.register(VendorTokenPrice)
class VendorTokenPriceAdmin(ReadOnlyAdmin):
    form = TokenPriceForm
    raw_id_fields = ("vendor",)
    list_display = ("of_vendor", "client", "version", "token", "price", "created_at", "actor")
    list_select_related = ("vendor__client",)
    search_fields = ("=vendor__slug",)
    ordering = ("-id",)
    # Of a version that is there; the form for the next one has its own.
    fields: ClassVar = (
        "vendor",
        "version",
        "chain_id",
        "token_address",
        "price_units_per_hour",
        "created_at",
        "actor",
    )

    of_vendor = link_column("vendor", "vendor")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may change vendors sets their prices."""
        return request.user.has_perm("sessions_app.change_vendor")

    def get_fields(self, request: HttpRequest, obj: VendorTokenPrice | None = None) -> Any:
        return super().get_fields(request, obj) if obj else ("vendor", "token", "price", "reason")

    def save_model(self, request: HttpRequest, obj: VendorTokenPrice, form: Any, change: bool) -> None:
        chain_id, address = form.cleaned_data["token"].split(":")
        price = token_prices.TokenPrice(int(chain_id), address, form.cleaned_data["price"])
        now, word = clock.now(), word_of(request, form.cleaned_data)
        added = token_prices.publish(obj.vendor, price, actor=word.actor, now=now)
        token_prices.note(added, word=word, now=now)
        obj.pk = added.pk

    @admin.display(description="client", ordering="vendor__client")
    def client(self, row: VendorTokenPrice) -> str:
        return str(row.vendor.client)

    @admin.display(description="token", ordering="token_address")
    def token(self, row: VendorTokenPrice) -> str:
        return dict(_tokens()).get(_key(row.chain_id, row.token_address), row.token_address)

    @admin.display(description="price (smallest units an hour)", ordering="price_units_per_hour")
    def price(self, row: VendorTokenPrice) -> str:
        return "as signed" if row.price_units_per_hour is None else str(row.price_units_per_hour)


def _tokens() -> list[tuple[str, str]]:
    try:
        found = [(chain, token) for chain in chains.all_chains() for token in chain.tokens]
    except ConfigurationUnfit:
        # The checks say so; the list is shown nevertheless.
        return []
    return [
        (_key(chain.chain_id, token.address), f"{token.symbol} on {chain.name}, {token.decimals} decimals")
        for chain, token in found
    ]


def _key(chain_id: int, address: str) -> str:
    return f"{chain_id}:{address}"
