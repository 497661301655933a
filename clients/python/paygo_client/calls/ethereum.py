"""A method for every call of ethereum. Written by clients/generate.py: do not edit."""

from paygo_client import types as _types
from paygo_client.http import Transport


class EthereumCalls(Transport):
    """The calls of ethereum; amounts are in ZEC."""

    def create_ethereum_authorization(
        self,
        *,
        chain_id: int,
        limit: str,
        privacy_consent: bool,
        rate_per_hour: str,
        token: str,
        wallet_address: str,
        duration_days: int | None = None,
        linked_wallet_address: str | None = None,
        idempotency_key: str | None = None,
    ) -> _types.CreatedAuthorization:
        """Answer what the wallet has to sign, and the allowance that the spender needs.

        Scope: `permissions:write`.
        """
        answer: _types.CreatedAuthorization = self._json(
            "POST",
            "/api/v1/ethereum/authorizations",
            body=self._given(
                {
                    "chain_id": chain_id,
                    "limit": limit,
                    "privacy_consent": privacy_consent,
                    "rate_per_hour": rate_per_hour,
                    "token": token,
                    "wallet_address": wallet_address,
                },
                duration_days=duration_days,
                linked_wallet_address=linked_wallet_address,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_ethereum_authorization(
        self,
        authorization_id: str,
    ) -> _types.AuthorizationState:
        """Answer what may still be charged, and which bound makes it no more.

        Scope: `permissions:read`.
        """
        answer: _types.AuthorizationState = self._json(
            "GET", f"/api/v1/ethereum/authorizations/{self._part(authorization_id)}"
        )
        return answer

    def revoke_ethereum_authorization(
        self,
        authorization_id: str,
    ) -> _types.AuthorizationState:
        """End it and its sessions for good; what it owes is still collected.

        Scope: `permissions:write`.
        """
        answer: _types.AuthorizationState = self._json(
            "POST", f"/api/v1/ethereum/authorizations/{self._part(authorization_id)}/revoke"
        )
        return answer

    def verify_ethereum_authorization(
        self,
        authorization_id: str,
        *,
        signature: str,
        permit_signature: str | None = None,
    ) -> _types.AuthorizationState:
        """Activate it; 202 while the chain shows no allowance or balance yet. A repetition looks
        again.

        Scope: `permissions:write`.
        """
        answer: _types.AuthorizationState = self._json(
            "POST",
            f"/api/v1/ethereum/authorizations/{self._part(authorization_id)}/verify",
            body=self._given({"signature": signature}, permit_signature=permit_signature),
        )
        return answer
