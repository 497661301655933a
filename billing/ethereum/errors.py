"""What can go wrong between a viewer's Ethereum wallet and the treasury."""

from core.errors import Conflict, Gone, Invalid, NotFound, Unavailable


class EthereumAddressInvalid(Invalid):
    """Not an address of Ethereum with its checksum."""

    code = "ethereum_address_invalid"
    title = "Not a valid Ethereum address"


class ChainUnknown(Invalid):
    """The operator has not configured this chain or token."""

    code = "token_unknown"
    title = "This chain or token is not accepted here"


class TokenUnfit(Invalid):
    """What the chain says of the token is not what the configuration says."""

    code = "token_unfit"
    title = "The token cannot be used"


class SignatureInvalid(Invalid):
    """The signature is not the wallet's under this document."""

    code = "signature_invalid"
    title = "The signature is not valid"


class ConsentMissing(Invalid):
    """This rail is public, and the viewer has not agreed to that."""

    code = "consent_required"
    title = "Consent to a public payment is required"


class AuthorizationNotFound(NotFound):
    """This client has no such authorisation."""

    code = "authorization_not_found"
    title = "There is no such authorization"


class AuthorizationGone(Gone):
    """The authorisation has ended for good."""

    code = "authorization_gone"
    title = "The authorization has ended"


class AuthorizationConflict(Conflict):
    """Another authorisation of this wallet is active."""

    code = "authorization_conflict"
    title = "Another authorization of this wallet is active"


class WrongAuthorizationState(Conflict):
    """The state machine has no such transition, or somebody was faster."""

    code = "authorization_state"
    title = "Not possible in the authorization's state"


class DebtUnpaid(Conflict):
    """The wallet owes what could not be collected: it is paid first."""

    code = "debt_unpaid"
    title = "An earlier stream is not paid yet"


class ChainUnavailable(Unavailable):
    """The chain's node is away, or answers what cannot be."""

    code = "chain_unavailable"
    title = "The Ethereum node does not answer"


class CallUnanswered(ChainUnavailable):
    """The node answers one call of a contract with an error that is not known for the contract's own.

    To who asks it is an outage; of other contracts it says nothing.
    """


class ConfigurationUnfit(Unavailable):
    """The configuration of the chains, the key or the contract contradicts what the chain says."""

    code = "chain_misconfigured"
    title = "The Ethereum configuration is wrong"
    retry_after_seconds = 60
