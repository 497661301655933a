"""`paygo-cli`: PayGo from the command line, for a first look and for scripts.

The service and the key come from PAYGO_URL and PAYGO_API_KEY, or --url and --key.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from paygo_client import ApiError, NoAnswer, PayGo, PayGoError, commands

_DEFAULT_URL = "http://127.0.0.1:8080"
_REFUSED, _NO_ANSWER, _INTERRUPTED = 1, 3, 130
_UNAUTHORIZED = 401
_EXITS = (
    "Exit codes: 0 done (watch: paid and confirmed); 1 refused, or what watch waits for will not happen: the "
    "permission is revoked or its time is over; 2 wrongly used; 3 nobody answers; 130 Ctrl-C."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, as `--help` tells them."""
    parser = _parser()
    options = parser.parse_args(arguments)
    run: Callable[[PayGo, argparse.Namespace], None] = options.run
    try:
        paygo = PayGo(options.url, options.key)
    except ValueError as error:
        parser.error(str(error))
    try:
        with paygo:
            run(paygo, options)
    except PayGoError as error:
        print(f"paygo-cli: {_explained(error)}", file=sys.stderr)
        return _NO_ANSWER if isinstance(error, NoAnswer) else _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # `paygo-cli statement ... | head` has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _explained(error: PayGoError) -> str:
    """Return what went wrong, and what can be done about it from here."""
    if isinstance(error, NoAnswer):
        return f"{error}\nIs PayGo running there? Set PAYGO_URL, or --url, to where it is."
    if not isinstance(error, ApiError):
        return str(error)
    wrong = [f"{each['field']}: {each['detail']}" for each in error.document.get("errors", ())]
    fields = [f"  {text}" for text in wrong if text not in error.detail]
    hint = ["Set PAYGO_API_KEY, or --key: `make run` prints one."] if error.status == _UNAUTHORIZED else []
    return "\n".join([str(error), *fields, *hint])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paygo-cli", description="Streaming by the hour, paid in ZEC.", epilog=_EXITS
    )
    parser.add_argument("--url", default=os.environ.get("PAYGO_URL", _DEFAULT_URL), help="PAYGO_URL")
    # Not shown with its default: that is a secret.
    parser.add_argument(
        "--key", default=os.environ.get("PAYGO_API_KEY", ""), help="better in PAYGO_API_KEY: others see this"
    )
    commands_ = parser.add_subparsers(required=True, metavar="COMMAND")

    create = commands_.add_parser("create", help="ask for a spending permission, and show how to pay it")
    create.add_argument("wallet", help="the viewer's Zcash address")
    create.add_argument("amount", type=_zec, help="ZEC to be paid in")
    create.add_argument("rate", type=_zec, help="ZEC that an hour may cost at most")
    create.add_argument("--days", type=int, help="how long it counts")
    create.set_defaults(run=commands.create)

    uri = commands_.add_parser("uri", help="show what is still to be paid, as a URI and a QR code")
    uri.add_argument("permission", help="the permission's id")
    uri.set_defaults(run=commands.uri)

    watch = commands_.add_parser("watch", help="wait for the payment, with a progress bar")
    watch.add_argument("permission", help="the permission's id")
    watch.add_argument("--every", type=_seconds, default=2.0, help="seconds between looks")
    watch.set_defaults(run=commands.watch)

    stream = commands_.add_parser("stream", help="start a session and show the meter; Ctrl-C ends it")
    stream.add_argument("wallet", help="the viewer's Zcash address")
    stream.add_argument("vendor", help="the vendor's id")
    stream.add_argument("--seconds", type=_seconds, help="end it after so long")
    stream.add_argument("--max-amount", type=_zec, help="ZEC that it may cost")
    stream.set_defaults(run=commands.stream)

    end = commands_.add_parser("end", help="end a session and show its receipt")
    end.add_argument("session", help="the session's code")
    end.set_defaults(run=commands.end)

    statement = commands_.add_parser("statement", help="show every movement of a permission's money")
    statement.add_argument("permission", help="the permission's id")
    statement.set_defaults(run=commands.statement)
    return parser


def _zec(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of ZEC") from error
    if not amount.is_finite() or amount <= 0:
        raise argparse.ArgumentTypeError("an amount is above 0")
    return amount


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from error
    if not 0 < seconds < 86_400:
        raise argparse.ArgumentTypeError("between 0 and a day, in seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
