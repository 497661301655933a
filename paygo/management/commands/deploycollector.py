"""`manage.py deploycollector`: puts the collector contract on a chain, and says what to configure."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing.ethereum import abi, addresses, chains, deploying, keys
from core import clock
from core.errors import DomainError


class Command(BaseCommand):
    help = "Deploy contracts/PayGoCollector.vy to a configured chain, paid by the service's key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("chain_id", type=int)
        parser.add_argument(
            "--admin", required=True, help="address of a cold key that may name another service key"
        )

    def handle(self, *args: Any, chain_id: int, admin: str, **options: Any) -> None:
        built = json.loads((settings.BASE_DIR / "contracts/build/PayGoCollector.json").read_text("utf-8"))
        try:
            chain, key = chains.chain(chain_id), keys.load()
            arguments = abi.encode(
                ["address"] * 3, chain.service, chain.treasury, addresses.parse(admin, field="--admin")
            )
            code = bytes.fromhex(built["bytecode"][2:]) + arguments
            address = deploying.deploy(chain, key, code, now=clock.now())
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f'collector = "{address}"')
