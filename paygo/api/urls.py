"""Paths of the public API, version 1, and of its description."""

from django.urls import path

from paygo.api.authorizations import (
    Authorization,
    AuthorizationRevocation,
    Authorizations,
    AuthorizationVerification,
)
from paygo.api.balance import BalanceOfWallet
from paygo.api.events import Events
from paygo.api.health import Health
from paygo.api.key_rotation import Keys, Rotation
from paygo.api.payer_links import PayerLinkRevocation, PayerLinks
from paygo.api.payouts import Payouts, PayoutTerms, VendorEarnings
from paygo.api.permissions import (
    Permission,
    PermissionOfWallet,
    Permissions,
    RefundAddress,
    Revocation,
    Verification,
)
from paygo.api.qr import PaymentQr
from paygo.api.sandbox import (
    SandboxBlocks,
    SandboxClock,
    SandboxFaultEnd,
    SandboxFaults,
    SandboxPayments,
    SandboxReorgs,
)
from paygo.api.schema import Docs, Schema
from paygo.api.session_pauses import Pause, Resumption
from paygo.api.sessions import Heartbeat, Session, SessionEnd, Sessions
from paygo.api.statements import PermissionStatement, VendorStatement
from paygo.api.streams import EventStream, PermissionStream, SessionStream
from paygo.api.token_prices import TokenPrices
from paygo.api.vendors import Activation, Deactivation, Prices, Vendor, Vendors
from paygo.api.webhooks import (
    WebhookDeletion,
    WebhookDeliveries,
    WebhookDelivery,
    WebhookDisabling,
    WebhookEnabling,
    WebhookEndpoint,
    WebhookEndpoints,
    WebhookRedelivery,
    WebhookRotation,
)

urlpatterns = [
    path("v1/zcash/permissions", Permissions.as_view()),
    path("v1/zcash/permissions/wallet/<str:address>", PermissionOfWallet.as_view()),
    path("v1/zcash/permissions/<str:permission_id>", Permission.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/verify", Verification.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/revoke", Revocation.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/refund_address", RefundAddress.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/qr", PaymentQr.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/payer_links", PayerLinks.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/payer_links/revoke", PayerLinkRevocation.as_view()),
    path("v1/zcash/balance/<str:address>", BalanceOfWallet.as_view()),
    path("v1/ethereum/authorizations", Authorizations.as_view()),
    path("v1/ethereum/authorizations/<str:authorization_id>", Authorization.as_view()),
    path("v1/ethereum/authorizations/<str:authorization_id>/verify", AuthorizationVerification.as_view()),
    path("v1/ethereum/authorizations/<str:authorization_id>/revoke", AuthorizationRevocation.as_view()),
    path("v1/sessions", Sessions.as_view()),
    path("v1/sessions/end", SessionEnd.as_view()),
    path("v1/sessions/heartbeat", Heartbeat.as_view()),
    path("v1/sessions/pause", Pause.as_view()),
    path("v1/sessions/resume", Resumption.as_view()),
    path("v1/sessions/<str:session_code>", Session.as_view()),
    path("v1/vendors", Vendors.as_view()),
    path("v1/vendors/<str:vendor_id>", Vendor.as_view()),
    path("v1/vendors/<str:vendor_id>/activate", Activation.as_view()),
    path("v1/vendors/<str:vendor_id>/deactivate", Deactivation.as_view()),
    path("v1/vendors/<str:vendor_id>/prices", Prices.as_view()),
    path("v1/vendors/<str:vendor_id>/token_prices", TokenPrices.as_view()),
    path("v1/sandbox/clock", SandboxClock.as_view()),
    path("v1/sandbox/payments", SandboxPayments.as_view()),
    path("v1/sandbox/blocks", SandboxBlocks.as_view()),
    path("v1/sandbox/reorgs", SandboxReorgs.as_view()),
    path("v1/sandbox/faults", SandboxFaults.as_view()),
    path("v1/sandbox/faults/end", SandboxFaultEnd.as_view()),
    path("v1/keys", Keys.as_view()),
    path("v1/keys/rotate", Rotation.as_view()),
    path("v1/events", Events.as_view()),
    path("v1/events/stream", EventStream.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/stream", PermissionStream.as_view()),
    path("v1/sessions/<str:session_code>/stream", SessionStream.as_view()),
    path("v1/webhooks/endpoints", WebhookEndpoints.as_view()),
    path("v1/webhooks/endpoints/<str:endpoint_id>", WebhookEndpoint.as_view()),
    path("v1/webhooks/endpoints/<str:endpoint_id>/rotate", WebhookRotation.as_view()),
    path("v1/webhooks/endpoints/<str:endpoint_id>/enable", WebhookEnabling.as_view()),
    path("v1/webhooks/endpoints/<str:endpoint_id>/disable", WebhookDisabling.as_view()),
    path("v1/webhooks/endpoints/<str:endpoint_id>/delete", WebhookDeletion.as_view()),
    path("v1/webhooks/endpoints/<str:endpoint_id>/deliveries", WebhookDeliveries.as_view()),
    path("v1/webhooks/deliveries/<str:delivery_id>", WebhookDelivery.as_view()),
    path("v1/webhooks/deliveries/<str:delivery_id>/redeliver", WebhookRedelivery.as_view()),
    path("v1/zcash/permissions/<str:permission_id>/statement", PermissionStatement.as_view()),
    path("v1/vendors/<str:vendor_id>/statement", VendorStatement.as_view()),
    path("v1/vendors/<str:vendor_id>/earnings", VendorEarnings.as_view()),
    path("v1/vendors/<str:vendor_id>/payouts", Payouts.as_view()),
    path("v1/vendors/<str:vendor_id>/payout_terms", PayoutTerms.as_view()),
    path("v1/health", Health.as_view()),
    path("schema/", Schema.as_view(), name="schema"),
    path("docs/", Docs.as_view(), name="docs"),
]
