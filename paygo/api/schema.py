"""The OpenAPI document: one decorator says of a call what it takes, answers and refuses."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from paygo.api.views import IDEMPOTENCY_HEADER, PublicView

View = TypeVar("View", bound=Callable[..., Any])
_PATH: Final = "path"
_QUERY: Final = "query"
_HEADER: Final = "header"

PERMISSION_IN_PATH = OpenApiParameter("permission_id", OpenApiTypes.UUID, _PATH)
AUTHORIZATION_IN_PATH = OpenApiParameter("authorization_id", OpenApiTypes.UUID, _PATH)
ADDRESS_IN_PATH = OpenApiParameter("address", OpenApiTypes.STR, _PATH, description="A Zcash address")
VENDOR_IN_PATH = OpenApiParameter("vendor_id", OpenApiTypes.STR, _PATH)
ENDPOINT_IN_PATH = OpenApiParameter("endpoint_id", OpenApiTypes.UUID, _PATH)
DELIVERY_IN_PATH = OpenApiParameter("delivery_id", OpenApiTypes.UUID, _PATH)
SESSION_IN_PATH = OpenApiParameter("session_code", OpenApiTypes.STR, _PATH)
RATE_IN_QUERY = OpenApiParameter(
    "rate_per_hour", OpenApiTypes.NUMBER, _QUERY, description="ZEC; by default the active permission's"
)
IMAGE_IN_QUERY = OpenApiParameter("format", OpenApiTypes.STR, _QUERY, enum=["svg", "png"], default="svg")
STRICT_IN_QUERY = OpenApiParameter("strict", OpenApiTypes.INT, _QUERY, enum=[0, 1])
STRICT_IN_QUERY = OpenApiParameter("strict", OpenApiTypes.STR, _QUERY, enum=["0", "1"], default="0")
LAST_EVENT_IN_HEADER = OpenApiParameter(
    "Last-Event-ID", OpenApiTypes.INT, _HEADER, description="The position after which the stream goes on"
)
_IDEMPOTENCY_KEY = OpenApiParameter(
    IDEMPOTENCY_HEADER,
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    _HEADER,
    description="1 to 255 visible ASCII characters; a repetition gets the first answer",
)


class FieldProblem(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemDocument(serializers.Serializer[Any]):
    """RFC 9457; `code` is stable, a 402 has members of its own that say what is missing."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Documents `Authorization: Bearer <key>`."""

    target_class = "paygo.api.auth.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """Return the scheme as OpenAPI has it."""
        return {"type": "http", "scheme": "bearer"}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        """Return the scope that the call needs, which OpenAPI 3.1 takes for a role."""
        return {self.name: [auto_schema.view.scopes[auto_schema.method]]}


class OwnFields(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Documents the strict fields by what they say of themselves."""

    target_class = "paygo.api.fields.StrictField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the field as OpenAPI has it."""
        return dict(self.target.openapi)


def _body_of(media_type: str) -> OpenApiTypes:
    # Of a stream each event is described, and that has fields.
    return OpenApiTypes.OBJECT if media_type == "text/event-stream" else OpenApiTypes.BINARY


def documented(
    summary: str,
    *,
    answers: Mapping[int, type[serializers.Serializer[Any]]],
    problems: Sequence[int] | Mapping[int, type[ProblemDocument]] = (),
    images: Sequence[str] = (),
    request: type[serializers.Serializer[Any]] | None = None,
    parameters: Sequence[OpenApiParameter | type[serializers.Serializer[Any]]] = (),
    idempotency_key: bool = False,
    public: bool = False,
) -> Callable[[View], View]:
    """Return the decorator that documents one method of a view; a key's problems come by themselves.

    `problems` may say which document a status has, where it has members of its own; `images` are the media
    types of a 200 that is no JSON.
    """
    kinds = dict(problems) if isinstance(problems, Mapping) else dict.fromkeys(problems, ProblemDocument)
    common = (429, *(() if public else (401, 403)), *((411, 413, 415) if request else ()))
    every = {**dict.fromkeys(common, ProblemDocument), **kinds}
    responses: dict[Any, Any] = {(status, "application/json"): kind for status, kind in answers.items()}
    responses |= {(200, media_type): _body_of(media_type) for media_type in images}
    responses |= {(status, "application/problem+json"): every[status] for status in sorted(every)}
    decorator: Callable[[View], View] = extend_schema(
        summary=summary,
        operation_id=summary.lower().replace("'s", "").replace(" ", "_"),
        request=request,
        responses=responses,
        parameters=[*parameters, *([_IDEMPOTENCY_KEY] if idempotency_key else [])],
    )
    return decorator


class Schema(PublicView):
    """The OpenAPI document of every call."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:  # noqa: ARG002
        """Answer the document; it is the same for everybody."""
        return Response(document(), content_type="application/vnd.oai.openapi+json")


class Docs(PublicView, SpectacularSwaggerView):
    """The document as a page to try the calls on."""

    url_name = "schema"


@cache
def document() -> Any:
    """Return the OpenAPI document; it is the same until the program changes."""
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
