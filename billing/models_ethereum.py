"""Tables of the Ethereum rail: authorisations, what collects their charges, and the journal of sends."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from billing.ethereum.rules import (
    FOLLOWED_CHAIN_SEND,
    LIVING_AUTHORIZATION,
    PERMIT_OF_SEND,
    UNFINISHED_COLLECTION,
    AuthorizationStatus,
    Binding,
    ChainSendStatus,
    CollectionStatus,
    PermitStatus,
)
from core.units import MAX_RATE_UNITS, UnitsField

_CHARGEABLE = Q(status=AuthorizationStatus.ACTIVE)


class Authorization(models.Model):
    """A viewer's signed, capped, revocable promise of a token on an EVM chain.

    Its charges are one running total that never falls, `charged_units`, settled up to `settled_at`.
    `collected_units` of it has arrived for good; the difference is debt. The meter stops at `cutoff_units`
    of it (`billing.ethereum.rules.cutoff`), which only a reading of the chain or a collection moves.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    client = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # With its EIP-55 checksum.
    wallet_address = models.TextField()
    # The canonical Zcash address whose streams it goes on paying for; null: only its own wallet's.
    linked_wallet_address = models.TextField(null=True)
    chain_id = models.BigIntegerField()
    token_address = models.TextField()
    token_symbol = models.TextField()
    decimals = models.SmallIntegerField()
    # Who may take the tokens: the collector contract, or the service's key itself.
    spender = models.TextField()
    # The contract that enforces the signed limit; null: plain transferFrom by the service's key.
    collector = models.TextField(null=True)
    # Where collected tokens go.
    treasury = models.TextField()
    limit_units = UnitsField()
    rate_units_per_hour = UnitsField()
    nonce = UnitsField()
    # The exact EIP-712 document that the wallet is asked to sign, and what it signed.
    typed_data = models.JSONField()
    signature = models.BinaryField(null=True)
    # The token's own document (EIP-2612), where it has one: signed, it stands in for an approval.
    permit = models.JSONField(null=True)
    permit_signature = models.BinaryField(null=True)
    permit_send = models.ForeignKey(
        "billing.ChainSend", on_delete=models.PROTECT, null=True, related_name="permits", db_index=False
    )
    # Why the signed permit is not handed in.
    permit_refusal = models.TextField(default="", db_default="")
    consented_at = models.DateTimeField()
    status = models.TextField(
        choices=[(s.value, s.value) for s in AuthorizationStatus], default=AuthorizationStatus.PENDING
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # What was charged until `expires_at` may be collected a little longer.
    collectable_until = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    suspended_for = models.TextField(default="", db_default="")

    charged_units = UnitsField(default=0, db_default=0)
    collected_units = UnitsField(default=0, db_default=0)
    # Up to here of the running total an operator has pardoned what could not be collected: it blocks no more.
    pardoned_units = UnitsField(default=0, db_default=0)
    cutoff_units = UnitsField(default=0, db_default=0)
    binding = models.TextField(
        choices=[(b.value, b.value) for b in Binding], default=Binding.ALLOWANCE, db_default="allowance"
    )
    ceiling_units = UnitsField(default=0, db_default=0)
    # The last reading of the chain.
    allowance_units = UnitsField(null=True)
    balance_units = UnitsField(null=True)
    chain_read_at = models.DateTimeField(null=True)
    chain_read_block = models.BigIntegerField(null=True)

    # The meter, as on a spending permission.
    settled_at = models.DateTimeField(null=True)
    open_transactions = models.IntegerField(default=0, db_default=0)
    meter_rate_units_per_hour = UnitsField(null=True)
    meter_started_at = models.DateTimeField(null=True)
    next_event_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "billing_authorization"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in AuthorizationStatus]),
                name="billing_authorization_status",
            ),
            models.CheckConstraint(
                condition=Q(limit_units__gt=0, limit_units__lt=2**256), name="billing_authorization_limit"
            ),
            models.CheckConstraint(
                condition=Q(rate_units_per_hour__gt=0, rate_units_per_hour__lte=MAX_RATE_UNITS),
                name="billing_authorization_rate",
            ),
            models.CheckConstraint(
                condition=Q(
                    collected_units__gte=0,
                    charged_units__gte=F("collected_units"),
                    charged_units__lte=F("limit_units"),
                    cutoff_units__lte=F("limit_units"),
                ),
                name="billing_authorization_charged_within_limit",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at"), collectable_until__gte=F("expires_at")),
                name="billing_authorization_ends_later",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        AuthorizationStatus.PENDING,
                        AuthorizationStatus.EXPIRED,
                        AuthorizationStatus.REVOKED,
                    ]
                )
                | Q(verified_at__isnull=False, signature__isnull=False, settled_at__isnull=False),
                name="billing_authorization_living_is_signed",
            ),
            models.CheckConstraint(
                condition=Q(open_transactions=0) | Q(_CHARGEABLE, open_transactions__gt=0),
                name="billing_authorization_meter_needs_active",
            ),
            models.CheckConstraint(
                condition=Q(open_transactions=0, next_event_at__isnull=True)
                | Q(open_transactions__gt=0, next_event_at__isnull=False),
                name="billing_authorization_metered_has_next_event",
            ),
            models.CheckConstraint(
                condition=Q(meter_rate_units_per_hour__isnull=True, meter_started_at__isnull=True)
                | Q(open_transactions=1, meter_rate_units_per_hour__gt=0, meter_started_at__isnull=False),
                name="billing_authorization_meter_is_of_one",
            ),
            # A signature is good for one authorisation.
            models.UniqueConstraint(
                fields=["chain_id", "wallet_address", "nonce"], name="billing_authorization_nonce_once"
            ),
            models.UniqueConstraint(
                fields=["client", "wallet_address"],
                condition=_CHARGEABLE,
                name="billing_authorization_one_active",
            ),
            models.UniqueConstraint(
                fields=["client", "linked_wallet_address"],
                condition=_CHARGEABLE & Q(linked_wallet_address__isnull=False),
                name="billing_authorization_one_active_linked",
            ),
        ]
        indexes = [
            # A viewer's authorisations, latest last.
            models.Index(fields=["client", "wallet_address", "id"], name="billing_authorization_wallet"),
            # The same by the linked wallet.
            models.Index(
                fields=["client", "linked_wallet_address"],
                name="billing_authorization_linked",
                condition=Q(linked_wallet_address__isnull=False),
            ),
            # The interval's due rows.
            models.Index(
                fields=["id"], name="billing_authorization_metered", condition=Q(open_transactions__gt=0)
            ),
            # Debts: whose of one chain's tokens, and the collector's round.
            models.Index(
                fields=["chain_id", "token_address", "wallet_address", "spender"],
                name="billing_authorization_indebted",
                condition=Q(charged_units__gt=F("collected_units")),
            ),
            # Permits to be sent.
            models.Index(
                fields=["id"],
                name="billing_authorization_permits",
                condition=Q(permit_signature__isnull=False, permit_send__isnull=True),
            ),
            # The expiry sweep.
            models.Index(
                fields=["expires_at"],
                name="billing_authorization_expiring",
                condition=Q(
                    status__in=[s.value for s in (AuthorizationStatus.PENDING, *LIVING_AUTHORIZATION)]
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"

    @property
    def wallets(self) -> list[str]:
        """The addresses whose sessions it pays for: both are one viewer's."""
        both = (self.wallet_address, self.linked_wallet_address)
        return [each for each in both if each is not None]

    @property
    def permit_status(self) -> PermitStatus | None:
        """How far its signed permit is, None where there is none."""
        if self.permit_signature is None:
            return None
        if self.permit_send is not None:
            return PERMIT_OF_SEND[ChainSendStatus(self.permit_send.status)]
        return PermitStatus.FAILED if self.permit_refusal else PermitStatus.WAITING

    @property
    def asset(self) -> str:
        """What its transactions are in: the token's symbol."""
        return self.token_symbol

    @property
    def debt_units(self) -> int:
        """What is charged and has not arrived for good."""
        return self.charged_units - self.collected_units

    @property
    def remaining_units(self) -> int:
        """What may still be charged, as far as the last reading of the chain knows."""
        return max(0, self.cutoff_units - self.charged_units)


class ChainSend(models.Model):
    """One nonce of the service's key: the journal that is written, signed, before any node is asked.

    `raw` is the signed transaction of the last try; all tries have this nonce, so that one at most is mined.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    chain_id = models.BigIntegerField()
    sender = models.TextField()
    nonce = models.BigIntegerField()
    status = models.TextField(
        choices=[(s.value, s.value) for s in ChainSendStatus], default=ChainSendStatus.SIGNED
    )
    # Whom it calls and with what; the collections it pays point here.
    to = models.TextField()
    data = models.BinaryField()
    gas = models.BigIntegerField()
    max_fee_wei = UnitsField()
    priority_fee_wei = UnitsField()
    raw = models.BinaryField()
    hashes = ArrayField(models.TextField())
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField()
    # Since when no node answers for it; null: one does.
    silent_since = models.DateTimeField(null=True)
    mined_hash = models.TextField(null=True)
    block_number = models.BigIntegerField(null=True)
    block_hash = models.TextField(null=True)
    finished_at = models.DateTimeField(null=True)
    reason = models.TextField(default="")

    class Meta:
        db_table = "billing_chainsend"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in ChainSendStatus]), name="billing_chainsend_status"
            ),
            models.CheckConstraint(condition=~Q(hashes=[]), name="billing_chainsend_was_signed"),
            models.CheckConstraint(
                condition=Q(status__in=[ChainSendStatus.SIGNED, ChainSendStatus.SENT, ChainSendStatus.LOST])
                | Q(mined_hash__isnull=False, block_number__isnull=False, block_hash__isnull=False),
                name="billing_chainsend_mined_is_in_a_block",
            ),
            models.UniqueConstraint(
                fields=["chain_id", "sender", "nonce"], name="billing_chainsend_nonce_once"
            ),
        ]
        indexes = [
            # What is followed until it is final.
            models.Index(
                fields=["chain_id", "nonce"],
                name="billing_chainsend_followed",
                condition=Q(status__in=[s.value for s in FOLLOWED_CHAIN_SEND]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.chain_id}/{self.nonce} ({self.status})"


class ChainKey(models.Model):
    """From which nonce on the journal of a key counts, where an operator has accepted what was before.

    Without it a journal that is empty, or older than the chain, sends nothing: it may have forgotten much.
    """

    chain_id = models.BigIntegerField()
    address = models.TextField()
    next_nonce = models.BigIntegerField()
    adopted_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        db_table = "billing_chainkey"
        constraints = [
            models.CheckConstraint(condition=Q(next_nonce__gt=0), name="billing_chainkey_has_sent"),
            models.CheckConstraint(condition=~Q(reason=""), name="billing_chainkey_says_why"),
            models.UniqueConstraint(fields=["chain_id", "address"], name="billing_chainkey_once"),
        ]

    def __str__(self) -> str:
        return f"{self.chain_id}/{self.address} from {self.next_nonce}"


class Collection(models.Model):
    """A stretch of an authorisation's running total, `(from_units, to_units]`, on its way to the treasury.

    It starts where the last confirmed one ended: so no unit is in two of them, and none is left out.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    authorization = models.ForeignKey(Authorization, on_delete=models.PROTECT, related_name="collections")
    from_units = UnitsField()
    to_units = UnitsField()
    status = models.TextField(
        choices=[(s.value, s.value) for s in CollectionStatus], default=CollectionStatus.PENDING
    )
    # Null: the token refused it in a simulation, and it was never sent.
    send = models.ForeignKey(ChainSend, on_delete=models.PROTECT, null=True, related_name="collections")
    # What arrived at the treasury: less than was taken where the token keeps a fee.
    received_units = UnitsField(null=True)
    reason = models.TextField(default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "billing_collection"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in CollectionStatus]), name="billing_collection_status"
            ),
            models.CheckConstraint(
                condition=Q(from_units__gte=0, to_units__gt=F("from_units")),
                name="billing_collection_takes_something",
            ),
            models.CheckConstraint(
                condition=Q(status=CollectionStatus.FAILED) | Q(send__isnull=False),
                name="billing_collection_is_in_a_send",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in UNFINISHED_COLLECTION], finished_at__isnull=True)
                | Q(
                    status__in=[CollectionStatus.CONFIRMED, CollectionStatus.FAILED],
                    finished_at__isnull=False,
                ),
                name="billing_collection_final_is_finished",
            ),
            models.UniqueConstraint(
                fields=["authorization"],
                condition=Q(status__in=[s.value for s in UNFINISHED_COLLECTION]),
                name="billing_collection_one_unfinished",
            ),
            # Each unit is collected once.
            models.UniqueConstraint(
                fields=["authorization", "from_units"],
                condition=~Q(status=CollectionStatus.FAILED),
                name="billing_collection_unit_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"

    @property
    def amount_units(self) -> int:
        return self.to_units - self.from_units

    @property
    def sent(self) -> ChainSend:
        """What carries it; one that was never sent is failed and has none."""
        assert self.send is not None, "it was never sent"
        return self.send
