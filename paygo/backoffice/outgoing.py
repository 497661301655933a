"""What windows on money that leaves the wallet have in common."""

from paygo.backoffice.base import ReadOnlyAdmin, address_column, status_column, zec_column


class OutgoingAdmin(ReadOnlyAdmin):
    """Refunds or payouts, latest first: how much of what goes where, and how far it is."""

    ordering = ("-id",)

    state = status_column()
    amount = zec_column("amount_zat", "amount (ZEC)")
    fee = zec_column("fee_zat", "of it fee (ZEC)")
    to = address_column("address", "to")
