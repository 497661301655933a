"""Windows on vendors, which operators keep, their prices, and sessions, which the engine writes."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from billing import payouts
from core import clock
from paygo.backoffice import pages
from paygo.backoffice.actions import buttons
from paygo.backoffice.base import (
    ReadOnlyAdmin,
    Window,
    address_column,
    link_column,
    status_column,
    zec_column,
)
from paygo.backoffice.filters import TimeFilter
from paygo.backoffice.reasons import ReasonField, word_of
from sessions_app import vendors
from sessions_app.models import StreamingSession, Vendor, VendorPrice


class VendorForm(forms.ModelForm):
    """A vendor's terms, each with a hidden copy of what it was when the form was opened.

    An open form may be old: what its operator has not touched is not written, whoever has changed it since,
    and what somebody else has changed meanwhile is not overwritten.
    """

    reason = ReasonField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    class Meta:
        model = Vendor
        fields = ("client", "slug", "name", "price_zat_per_hour", "heartbeat_seconds", "is_active", "fee_bps")
        labels: ClassVar = {
            "price_zat_per_hour": "Price (zatoshis an hour)",
            "heartbeat_seconds": "Heartbeat (seconds)",
            "fee_bps": "Platform's share (hundredths of a percent)",
        }
        help_texts: ClassVar = {
            "price_zat_per_hour": "100,000,000 zatoshis are 1 ZEC. Empty: what the viewer's permission "
            "allows. It is for sessions that start from now on.",
            "heartbeat_seconds": "A session that is silent for so long ends. Empty: it may be silent.",
            "is_active": "Off: no new sessions; those that run go on.",
            "fee_bps": "250 are 2.5 %. It is for sessions that start from now on.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_old = self.instance.pk is not None
        # Before the form writes what was sent into the row.
        terms = [name for name in self.fields if name != "reason"]
        self._now = {name: getattr(self.instance, name) for name in terms if is_old}
        for name in terms:
            self.fields[name].show_hidden_initial = is_old

    def clean(self) -> None:
        """Refuse to overwrite what has changed since the form was opened."""
        super().clean()
        for name in self.changed_data:
            if name in self._now and name in self.cleaned_data and self._opened_with(name) != self._now[name]:
                self.add_error(
                    name,
                    f"it was changed meanwhile, to {self._now[name]}: open the page again, and decide then",
                )

    def _opened_with(self, name: str) -> Any:
        field, bound = self.fields[name], self[name]
        sent = field.hidden_widget().value_from_datadict(self.data, self.files, bound.html_initial_name)
        try:
            return field.to_python(sent)
        except forms.ValidationError:
            return sent


@admin.register(Vendor)
class VendorAdmin(Window):
    form = VendorForm
    # Who opens it wants to change it: the form comes first.
    change_form_outer_before_template = None
    change_form_outer_after_template = "backoffice/record_before.html"
    list_display = ("slug", "name", "client", "price", "price_version", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("client",)
    search_fields = ("slug", "name")
    raw_id_fields = ("client",)
    # Where earnings go to is the client's to say, or `manage.py setvendorpayouts`: a change has a delay.
    readonly_fields = (
        "created_at",
        "price_version",
        "payout_address",
        "payout_not_before",
        "payout_schedule",
        "payout_minimum_zat",
    )

    price = zec_column("price_zat_per_hour", "price (ZEC/h)")

    def page_extra(self, request: HttpRequest, row: Vendor) -> dict[str, Any]:
        """Show its prices and latest sessions."""
        return pages.of_vendor(row, now=clock.now())

    def get_readonly_fields(self, request: HttpRequest, obj: Vendor | None = None) -> tuple[str, ...]:
        """Callers know a vendor by its client and its id: these stay."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "client", "slug") if obj else tuple(fixed)

    def get_fields(self, request: HttpRequest, obj: Vendor | None = None) -> Any:
        """Ask for a reason where there is something to change."""
        fields = super().get_fields(request, obj)
        may_send = self.has_change_permission(request, obj) if obj else True
        return [each for each in fields if may_send or each != "reason"]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Vendor | None:
        """Hold the row that a form is about to change: it is compared with what the form was opened with."""
        found: Vendor | None = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST":
            return found
        return Vendor.objects.select_for_update(no_key=True).get(pk=found.pk)

    def save_model(self, request: HttpRequest, obj: Vendor, form: Any, change: bool) -> None:
        now, word = clock.now(), word_of(request, form.cleaned_data)
        if change:
            changed = set(form.changed_data) - {"reason"}
            vendors.change(obj, fields=changed)
            if "price_zat_per_hour" in changed:
                vendors.publish(obj.pk, price_zat_per_hour=obj.price_zat_per_hour, actor=word.actor, now=now)
        else:
            obj.created_at = now
            vendors.insert(obj, actor=word.actor)
        payouts.note_terms(obj, word=word, now=now)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A vendor that was ever paid stays: it is switched off by `is_active`."""
        return False


@admin.register(VendorPrice)
class VendorPriceAdmin(ReadOnlyAdmin):
    list_display = ("of_vendor", "client", "version", "price", "created_at", "actor")
    list_select_related = ("vendor__client",)
    search_fields = ("=vendor__slug",)
    ordering = ("-id",)

    of_vendor = link_column("vendor", "vendor")
    price = zec_column("price_zat_per_hour", "price (ZEC/h)")

    @admin.display(description="client", ordering="vendor__client")
    def client(self, row: VendorPrice) -> str:
        return str(row.vendor.client)


@admin.register(StreamingSession)
class StreamingSessionAdmin(ReadOnlyAdmin):
    list_display = (
        "code",
        "client",
        "wallet",
        "of_vendor",
        "state",
        "rate",
        "price_version",
        "started_at",
        "end_reason",
    )
    list_filter = ("status", "end_reason", ("started_at", TimeFilter))
    list_select_related = ("client", "vendor")
    search_fields = ("=code", "=public_id", "=wallet_address", "=vendor__slug")
    search_help_text = "Session code, session, wallet or vendor"
    ordering = ("-id",)

    state = status_column()

    wallet = address_column("wallet_address", "wallet")
    of_vendor = link_column("vendor", "vendor")
    rate = zec_column("rate_zat_per_hour", "rate (ZEC/h)")

    def page_extra(self, request: HttpRequest, row: StreamingSession) -> dict[str, Any]:
        """Show what it cost, and what operators did."""
        return {"office_buttons": buttons(row, request), **pages.of_session(row)}
