"""The sidebar: what operators look for, in the order in which they do."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse_lazy

from paygo.backoffice import queues

Item = dict[str, Any]


def sidebar(_: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar; each item is shown to who may see its rows."""
    groups = _groups()
    known = {each["link"] for group in groups for each in group["items"]}
    # A window that nobody has placed yet is found all the same.
    others = [
        _rows(str(model._meta.verbose_name_plural).capitalize(), "table_rows", label, name)
        for model in admin.site._registry
        for label, name in [(model._meta.app_label, str(model._meta.model_name))]
        if reverse_lazy(f"admin:{label}_{name}_changelist") not in known
    ]
    return [*groups, {"title": "More", "items": others}] if others else groups


def _groups() -> list[dict[str, Any]]:
    return [
        {
            "title": "",
            "items": [
                _page("Dashboard", "monitoring", "index"),
                {**_page("Queues", "inbox", "queues"), "permission": queues.may_see_any},
            ],
        },
        {
            "title": "Money",
            "items": [
                _rows("Permissions", "verified_user", "zcash", "spendingpermission"),
                _rows("Deposits", "south_west", "zcash", "deposit"),
                _rows("Unmatched deposits", "question_mark", "zcash", "unmatcheddeposit"),
                _rows("Transactions", "receipt_long", "billing", "transaction"),
                _rows("Refunds", "undo", "billing", "refund"),
                _rows("Payouts", "payments", "billing", "payout"),
                _rows("Ledger", "menu_book", "billing", "transfer"),
                _rows("Comparisons", "balance", "billing", "reconciliation"),
                _rows("Wallet sends", "north_east", "billing", "walletsend"),
                _rows("Foreign sends", "help", "billing", "foreignsend"),
            ],
        },
        {
            "title": "Ethereum",
            "items": [
                _rows("Authorisations", "draw", "billing", "authorization"),
                _rows("Collections", "move_to_inbox", "billing", "collection"),
                _rows("Chain sends", "upload", "billing", "chainsend"),
                _rows("Adopted keys", "vpn_key", "billing", "chainkey"),
            ],
        },
        {
            "title": "Streaming",
            "items": [
                _rows("Sessions", "play_circle", "sessions_app", "streamingsession"),
                _rows("Vendors", "storefront", "sessions_app", "vendor"),
                _rows("Prices", "sell", "sessions_app", "vendorprice"),
                _rows("Token prices", "toll", "sessions_app", "vendortokenprice"),
            ],
        },
        {
            "title": "Record",
            "items": [
                _rows("Operators' actions", "gavel", "billing", "operatoraction"),
                _rows("Audit log", "history", "zcash", "permissionaudit"),
                _rows("Seals", "lock", "zcash", "auditseal"),
                _rows("Events", "campaign", "core", "event"),
                _rows("Warnings", "notification_important", "billing", "notice"),
                _rows("Mails", "mail", "billing", "mail"),
                _rows("Webhook endpoints", "webhook", "core", "webhookendpoint"),
                _rows("Webhook deliveries", "outbox", "core", "webhookdelivery"),
                _rows("Webhook attempts", "swap_horiz", "core", "webhookattempt"),
                _rows("Intervals", "timer", "billing", "intervalrun"),
                _rows("Chain", "link", "zcash", "watchedchain"),
            ],
        },
        {
            "title": "Access",
            "items": [
                _rows("API keys", "key", "api", "apikey"),
                _rows("Idempotent calls", "repeat_one", "core", "receiptrow"),
                _rows("Users", "person", "core", "user"),
                _rows("Roles", "group", "auth", "group"),
                _rows("Login failures", "gpp_maybe", "axes", "accessattempt"),
                _rows("Logins", "login", "axes", "accesslog"),
            ],
        },
    ]


def _page(title: str, icon: str, name: str) -> Item:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}")}


def _rows(title: str, icon: str, label: str, model: str) -> Item:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{label}_{model}_changelist"),
        "permission": _may_see(label, model),
    }


def _may_see(label: str, model: str) -> Callable[[HttpRequest], bool]:
    def permission(request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm(f"{label}.view_{model}") or user.has_perm(f"{label}.change_{model}"))

    return permission
