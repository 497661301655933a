"""What a viewer is told wherever a stream may be paid on a public chain."""

from django.utils.translation import gettext_noop

NOTE = gettext_noop(
    "Payments on this chain are public: anybody can see the wallet, the token, every amount and its time, for"
    " ever, and may connect them with the stream. Shielded ZEC shows none of that. It is used only with the"
    " viewer's signed consent, up to the signed limit, and can be revoked at any time."
)
