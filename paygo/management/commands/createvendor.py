"""`manage.py createvendor CLIENT VENDOR_ID`: somebody whose streams are paid for."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.amounts import AmountError, parse_zec
from core.errors import Invalid
from core.models import User
from sessions_app import vendors
from sessions_app.models import Vendor


class Command(BaseCommand):
    help = "Make a vendor of a client, if it does not exist; its id is what POST /sessions names."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client", help="the client's user name")
        parser.add_argument("vendor_id", help="letters, digits, - and _; at most 64")
        parser.add_argument("--name", help="shown to people; default: the id")
        parser.add_argument("--price", help="ZEC per hour; default: the rate of the viewer's permission")

    def handle(
        self, *args: Any, client: str, vendor_id: str, name: str | None, price: str | None, **options: Any
    ) -> None:
        owner = User.objects.filter(username=client).first()
        if owner is None:
            raise CommandError(f"there is no client {client}: make one with createapikey")
        if Vendor.objects.filter(client=owner, slug=vendor_id).exists():
            self.stdout.write(f"{vendor_id} exists already")
            return
        try:
            vendors.create(
                vendor_id,
                client_id=owner.pk,
                name=name or vendor_id,
                price_zat_per_hour=_price_zat(price),
                actor="operator:createvendor",
                now=clock.now(),
            )
        except Invalid as error:
            raise CommandError(f"{error.field}: {error}") from error
        self.stdout.write(f"{vendor_id} made")


def _price_zat(price: str | None) -> int | None:
    if price is None:
        return None
    try:
        return parse_zec(price)
    except AmountError as error:
        raise CommandError(f"--price {error}") from error
