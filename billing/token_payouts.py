"""What vendors have earned in tokens and were paid outside of this service: an operator writes it down.

The tokens that are collected go to the operator's treasury, whose key this service does not have. Who pays
a vendor from there says so here: the books know then what is still owed.
"""

from datetime import datetime

from billing import earnings, ledger, operators
from billing.earnings import TokenEarnings
from billing.operator_models import OperatorAction
from billing.operator_rules import Verb
from billing.operators import Word
from core import db
from core.errors import Conflict, Invalid
from sessions_app import queries as session_queries
from sessions_app.models import Vendor


def record(
    slug: str, *, client_id: int, asset: str, units: int, txid: str, word: Word, now: datetime
) -> TokenEarnings:
    """Book what a vendor was paid in a token by a transaction; return what he has earned and is owed now.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
        Invalid: it is more than he is owed, or nothing.
        Conflict: this transaction has been written down for him before.
    """
    with db.operation():
        found = session_queries.find_vendor(client_id=client_id, slug=slug)
        vendor = Vendor.objects.select_for_update(no_key=True).get(pk=found.pk)
        check(vendor, asset=asset, units=units, txid=txid)
        details = {"vendor": vendor.pk, "asset": asset, "units": str(units), "txid": txid}
        said = operators.note(word, Verb.PAY_TOKENS, permission=None, now=now, details=details)
        ledger.token_paid(vendor_id=vendor.pk, asset=asset, units=units, word_id=said.pk, now=now)
        return _owed(vendor, asset)


def check(vendor: Vendor, *, asset: str, units: int, txid: str) -> None:
    """Refuse what cannot be written down of a vendor.

    Raises:
        Invalid, Conflict: see `record`.
    """
    owed_units = _owed(vendor, asset).owed_units
    if not 0 < units <= owed_units:
        raise Invalid(f"must be from 1 to the {owed_units} that are owed", field="units")
    told = {"vendor": vendor.pk, "asset": asset, "txid": txid}
    if OperatorAction.objects.filter(verb=Verb.PAY_TOKENS, details__contains=told).exists():
        raise Conflict(f"that {txid} has paid {vendor.slug} is written down already")


def _owed(vendor: Vendor, asset: str) -> TokenEarnings:
    none = TokenEarnings(asset, 0, 0, 0, 0, 0)
    return next((each for each in earnings.in_tokens(vendor) if each.asset == asset), none)
