"""Some viewers of two clients on one chain: what they do, what befalls the collector, and what must hold."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from itertools import count

from eth_account.signers.local import LocalAccount

from billing import engine, expiry, interval
from billing.engine import StartRequest
from billing.ethereum import abi, authorizing, readings, statuses, typed_data
from billing.ethereum.errors import DebtUnpaid
from billing.ethereum.rules import BLAMELESS, LIVING_AUTHORIZATION, TOO_LATE
from billing.models import Transaction
from billing.models_ethereum import Authorization, ChainSend, Collection
from billing.rules import TransactionStatus
from core.errors import DomainError
from core.models import User
from tests import books, factories
from tests.evm.world import ADMIN, LEAST, TREASURY, USD, World, viewer
from tests.factories import ZEC
from zcash.models import SpendingPermission

SYMBOLS = ("USDT", "PLAIN")
CONFIRMATIONS = 3
_numbers = count(100)


class Viewer:
    """A wallet at one client; what it streams is paid from its ZEC first, where it has a Zcash wallet."""

    def __init__(self, client: User, who: LocalAccount, *, symbol: str, zcash_wallet: str | None) -> None:
        self.client, self.who, self.symbol = client, who, symbol
        self.zcash_wallet = zcash_wallet
        self.codes: list[str] = []

    @property
    def address(self) -> str:
        return self.who.address

    def authorizations(self) -> list[Authorization]:
        mine = Authorization.objects.filter(client=self.client, wallet_address=self.address)
        return list(mine.order_by("id"))

    def owes(self) -> bool:
        """Whether a collection has failed, through the wallet's fault, of what is not paid since."""
        failed = Collection.objects.filter(status="failed", authorization__in=self.authorizations())
        return any(
            each.to_units > each.authorization.collected_units and each.reason not in BLAMELESS
            for each in failed.select_related("authorization")
        )


class Life:
    """What happens; each verb may be refused, and then has changed nothing."""

    def __init__(self, world: World, vera: User, otto: User) -> None:
        self.world = world
        both, plain, hybrid = (viewer(next(_numbers)) for _ in range(3))
        zcash_wallet = f"zcash-wallet-of-{hybrid.address}"
        self.viewers = [
            Viewer(vera, both, symbol="USDT", zcash_wallet=None),
            Viewer(otto, both, symbol="USDT", zcash_wallet=None),
            Viewer(vera, plain, symbol="PLAIN", zcash_wallet=None),
            Viewer(otto, hybrid, symbol="USDT", zcash_wallet=zcash_wallet),
        ]
        # By token and wallet; and what the treasury had of each token before.
        self.minted, self.spent = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self.before = {symbol: world.balance(TREASURY, symbol=symbol) for symbol in SYMBOLS}
        self.give_all(20 * USD)
        self.deposit(self.viewers[3])

    # What viewers do.

    def give_all(self, units: int) -> None:
        """Let every wallet have so much more, and allow much."""
        for symbol, address in self.wallets():
            self.minted[symbol, address] += units
            self.world.give(address, units, symbol=symbol)
            self.world.approve(address, 50 * USD, symbol=symbol)
        self.bury()

    def wallets(self) -> list[tuple[str, str]]:
        return sorted({(each.symbol, each.address) for each in self.viewers})

    def bury(self) -> None:
        """No reorg reaches what the viewers themselves have done: nobody would send that again."""
        self.world.node.mine(CONFIRMATIONS)

    def authorise(self, of: Viewer, limit: int, *, days: int, permit: bool) -> None:
        """Sign another authorisation in the place of the one before."""
        for each in of.authorizations():
            if each.status in LIVING_AUTHORIZATION:
                authorizing.revoke(client_id=each.client_id, public_id=each.public_id, now=self.world.now)
        owes, refused = of.owes(), False
        try:
            asked = self.world.asked(
                of.client,
                of.who,
                symbol=of.symbol,
                limit_units=limit,
                duration_days=days,
                linked_wallet_address=of.zcash_wallet,
            )
            self.world.signed(asked, of.who, permit=permit)
        except DebtUnpaid:
            refused = True
        assert refused == owes

    def revoke(self, of: Viewer) -> None:
        with suppress(DomainError):
            for each in of.authorizations()[-1:]:
                authorizing.revoke(client_id=each.client_id, public_id=each.public_id, now=self.world.now)

    def start(self, of: Viewer) -> None:
        """Start one more session, unless it is refused; a token starts none for who owes."""
        owes, wallet, client_id = of.owes(), of.zcash_wallet or of.address, of.client.pk
        request = StartRequest(wallet, "vendor123", client_ref=str(next(_numbers)))
        try:
            readings.refresh_for_start(client_id=client_id, wallet_address=wallet, now=self.world.now)
            started = engine.start(request, client_id=client_id, now=self.world.now)
        except DomainError:
            return
        of.codes.append(started.session_code)
        paid_by = Transaction.objects.get(session__code=started.session_code, status=TransactionStatus.OPEN)
        assert not owes or paid_by.authorization_id is None

    def stop(self, of: Viewer) -> None:
        if of.codes:
            engine.end(of.codes.pop(), client_id=of.client.pk, now=self.world.now)

    def deposit(self, of: Viewer) -> None:
        """Pay a little ZEC: the sessions that run on a token come back to it."""
        if of.zcash_wallet is None:
            return
        mine = SpendingPermission.objects.filter(client=of.client, wallet_address=of.zcash_wallet)
        permission = mine.filter(closed_at=None).last() or factories.make_permission(
            of.client, wallet=of.zcash_wallet, requested=ZEC // 100, rate=2 * ZEC, now=self.world.now
        )
        factories.pay(permission, ZEC // 100, now=self.world.now)

    def allow(self, of: Viewer, units: int) -> None:
        self.world.approve(of.address, units, symbol=of.symbol)
        self.bury()

    def spend(self, of: Viewer, units: int) -> None:
        token = self.world.tokens[of.symbol]
        units = min(units, self.world.balance(of.address, symbol=of.symbol))
        sent = self.world.do(of.address, token, "transfer(address,uint256)", ADMIN, units)
        # A collection that waited may have been before it in the block, and have left less.
        self.spent[of.symbol, of.address] += units if sent["status"] == "0x1" else 0
        self.bury()

    # What befalls PayGo.

    def pass_time(self, seconds: float) -> None:
        self.world.now += timedelta(seconds=seconds)
        run = interval.run_interval(now=self.world.now, engine="tests", chunk_size=100)
        assert run.put_aside == []
        expiry.run(now=self.world.now)

    def forget(self, depth: int) -> None:
        """A round whose blocks the chain then has never seen, nor the node what was sent."""
        snapshot = self.world.node.ask("evm_snapshot")
        self.world.round()
        self.world.node.mine(depth)
        self.world.round()
        self.world.node.ask("evm_revert", snapshot)
        # What was deep enough before it must stay so.
        self.bury()

    def end(self) -> None:
        """Let all streams end, the viewers have and allow what they owe, and the collector come by."""
        for each in self.viewers:
            while each.codes:
                self.stop(each)
        self.give_all(40 * USD)
        # What has failed again and again is tried again within a day.
        for seconds in (24 * 3600, 601, 601, 601, 601):
            assert self.world.round(seconds=seconds) == {}
            self.world.node.mine(CONFIRMATIONS + 1)

    def leave(self) -> None:
        """Revoke all, so that the next life's rounds have nothing to do with these."""
        for each in self.viewers:
            self.revoke(each)

    # What must hold.

    def check(self) -> None:
        """No token is made, lost, or taken that is not owed, and the books say what the chain does."""
        for symbol in SYMBOLS:
            self._check_treasury(symbol)
        for symbol, address in self.wallets():
            self._check_wallet(symbol, address)
        for each in self._all():
            self._check_signed(each)
        assert books.violations() == []

    def check_the_end(self) -> None:
        """Everything is collected that is worth its gas, but for what could not be in time."""
        assert not ChainSend.objects.filter(status__in=statuses.FOLLOWED).exists()
        self.check()
        for each in self._all():
            late = each.collections.filter(reason=TOO_LATE).exists()
            assert each.debt_units < LEAST or late, each

    def _all(self) -> list[Authorization]:
        return [found for each in self.viewers for found in each.authorizations()]

    def _check_treasury(self, symbol: str) -> None:
        """The treasury has what is confirmed, and at most what is on its way; nobody else has any."""
        wallets = [address for of, address in self.wallets() if of == symbol]
        arrived = self.world.balance(TREASURY, symbol=symbol) - self.before[symbol]
        kept = sum(self.world.balance(each, symbol=symbol) for each in wallets)
        minted = sum(self.minted[symbol, each] for each in wallets)
        assert arrived + kept + sum(self.spent[symbol, each] for each in wallets) == minted

        mine = Collection.objects.filter(authorization__in=self._all(), authorization__token_symbol=symbol)
        confirmed = sum(each.received_units or 0 for each in mine.filter(status="confirmed"))
        waiting = sum(each.amount_units for each in mine.filter(status__in=statuses.UNFINISHED))
        assert confirmed <= arrived <= confirmed + waiting

    def _check_wallet(self, symbol: str, address: str) -> None:
        """A wallet has paid what is counted as collected at least, and what it was charged at most."""
        key = (symbol, address)
        paid = self.minted[key] - self.spent[key] - self.world.balance(address, symbol=symbol)
        mine = [each for each in self._all() if each.wallet_address == address]
        assert sum(each.collected_units for each in mine) <= paid
        assert paid <= sum(each.charged_units for each in mine) <= sum(each.limit_units for each in mine)

    def _check_signed(self, authorization: Authorization) -> None:
        """The contract itself has taken no more by a signature than was charged."""
        if authorization.collector is not None:
            digest = typed_data.digest(authorization.typed_data)
            taken = self.world.call(authorization.collector, abi.COLLECTED_IN_ALL, digest)
            assert authorization.collected_units <= taken <= authorization.charged_units
