"""Failures about webhooks."""

from core.errors import Conflict, Invalid, NotFound


class UrlRefused(Invalid):
    """Nothing may be sent to this address."""

    code = "url_refused"
    title = "Nothing is sent to this address"


class EndpointNotFound(NotFound):
    """No endpoint of this client has this id."""

    code = "webhook_endpoint_not_found"
    title = "No such webhook endpoint"


class DeliveryNotFound(NotFound):
    """No delivery to this client's endpoints has this id."""

    code = "webhook_delivery_not_found"
    title = "No such webhook delivery"


class EndpointDisabled(Conflict):
    """Nothing is sent to a disabled endpoint."""

    code = "webhook_endpoint_disabled"
    title = "The webhook endpoint is disabled"


class TooManyEndpoints(Conflict):
    """The client has as many endpoints as it may have."""

    code = "webhook_endpoint_limit_reached"
    title = "No more webhook endpoints"


class TooManySecrets(Conflict):
    """As many of an endpoint's old secrets as may be are valid still."""

    code = "webhook_secret_limit_reached"
    title = "Too many secrets are valid"
