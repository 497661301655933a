"""What the commands of `paygo-cli` do."""

import argparse
import time

from paygo_client import PayGo, types
from paygo_client.terminal import Line, bar, qr, zec

_METER_SECONDS = 0.5
_HEARTBEAT_SECONDS = 30


def create(paygo: PayGo, options: argparse.Namespace) -> None:
    """Ask for a permission and show how to pay it."""
    made = paygo.create_spending_permission(
        user_wallet_address=options.wallet,
        requested_amount=options.amount,
        rate_per_hour=options.rate,
        duration_days=options.days,
    )
    print(f"permission  {made['permission_id']}")
    print(f"pays for    {made['max_streaming_hours']} hours, until {made['expires_at']}")
    print(f"pay         {zec(made['amount_to_pay'])} ZEC before {made['pay_before']}")
    print(f"page        {made['checkout_url']}")
    _show_uri(made["payment_uri"])


def uri(paygo: PayGo, options: argparse.Namespace) -> None:
    """Show what is still to be paid."""
    found = paygo.show_permission(options.permission)
    if found["payment_uri"] is None:
        print(f"nothing is to be paid: the permission is {found['status']}")
        return
    print(f"pay         {zec(found['payment']['missing'])} ZEC")
    _show_uri(found["payment_uri"])


def watch(paygo: PayGo, options: argparse.Namespace) -> None:
    """Wait until the permission is paid and confirmed, one that is used up until it is topped up.

    Raises:
        Gone: that will not happen any more.
    """
    with Line() as line:
        while True:
            found = paygo.verify_payment_of_permission(options.permission)
            line.show(_progress(found))
            if found["status"] in ("active", "queued"):
                return
            time.sleep(options.every)


def stream(paygo: PayGo, options: argparse.Namespace) -> None:
    """Stream until the time is over, the money is, or Ctrl-C; the session is ended in every case."""
    started = paygo.start_session(
        user_wallet_address=options.wallet,
        vendor_id=options.vendor,
        max_amount=options.max_amount,
        # Should this process die, the session ends by itself.
        heartbeat_seconds=2 * _HEARTBEAT_SECONDS,
    )
    code = started["session_code"]
    # A wallet that pays in a token has a price in that token alone.
    rate = started["rate_per_hour"]
    try:
        print(f"session     {code}{f' at {zec(rate)} ZEC an hour' if rate else ''}; Ctrl-C ends it")
        _show_meter(paygo, code, seconds=options.seconds)
    except KeyboardInterrupt:
        pass
    finally:
        _show_receipt(paygo.end_session(session_code=code))


def end(paygo: PayGo, options: argparse.Namespace) -> None:
    """End a session and show its receipt."""
    _show_receipt(paygo.end_session(session_code=options.session))


def statement(paygo: PayGo, options: argparse.Namespace) -> None:
    """Show every movement of a permission's money, and what is left."""
    after: int | None = None
    while True:
        page = paygo.show_statement_of_permission(options.permission, after=after)
        for line in page["lines"]:
            code = line["stretch"]["session_code"] if line["stretch"] else ""
            amount, balance = zec(line["amount"]), zec(line["balance"])
            print(f"{line['at'][:19]}  {line['kind']:<16} {code:<12} {amount:>16} {balance:>16}")
        after = page["next_after"]
        if after is None:
            break
    print(f"left        {zec(page['closing'])} ZEC")


def _show_meter(paygo: PayGo, code: str, *, seconds: float | None) -> None:
    began = beaten = time.monotonic()
    with Line() as line:
        while seconds is None or time.monotonic() - began < seconds:
            found = paygo.show_session(code)
            line.show(f"{found['duration_seconds']:>10.1f} s  {zec(found['amount'])} ZEC")
            if found["status"] == "ended":
                return
            if time.monotonic() - beaten > _HEARTBEAT_SECONDS:
                paygo.send_heartbeat(session_code=code)
                beaten = time.monotonic()
            time.sleep(_METER_SECONDS)


def _show_receipt(ended: types.EndedSession) -> None:
    print(f"receipt     {ended['id']}")
    print(f"streamed    {ended['duration_seconds']} s, {ended['end_reason']}")
    print(f"paid        {zec(ended['amount'])} ZEC, {ended['status']}")


def _show_uri(text: str) -> None:
    print(text)
    print(qr(text))


def _progress(found: types.VerifiedPermission) -> str:
    payment = found["payment"]
    done, needed = payment["confirmations"], payment["required_confirmations"]
    if found["status"] == "exhausted":
        return f"{bar(0, needed)} used up: waiting for a top-up to its payment address"
    if payment["missing"] > 0:
        return f"{bar(0, needed)} waiting for {zec(payment['missing'])} ZEC"
    if found["status"] == "pending":
        return f"{bar(done, needed)} {done} of {needed} confirmations"
    return f"{bar(1, 1)} {found['status']}: {found['remaining_hours']} hours"
