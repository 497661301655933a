"""A method for every call of the API. Written by clients/generate.py: do not edit."""

from paygo_client.calls.ethereum import EthereumCalls
from paygo_client.calls.events import EventsCalls
from paygo_client.calls.health import HealthCalls
from paygo_client.calls.keys import KeysCalls
from paygo_client.calls.permissions import PermissionsCalls
from paygo_client.calls.sandbox import SandboxCalls
from paygo_client.calls.sessions import SessionsCalls
from paygo_client.calls.vendors import VendorsCalls
from paygo_client.calls.webhooks import WebhooksCalls


class Calls(
    EthereumCalls,
    EventsCalls,
    HealthCalls,
    KeysCalls,
    PermissionsCalls,
    SandboxCalls,
    SessionsCalls,
    VendorsCalls,
    WebhooksCalls,
):
    """Every call of the API; amounts are in ZEC."""
