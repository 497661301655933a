"""What the OpenAPI document says beside what each view says of itself: headers, problems, examples, tags."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from paygo.api import examples
from paygo.api.fields import AddressField, SessionCodeField, VendorIdField
from paygo.api.problem_pages import entries

Document = dict[str, Any]

PROBLEM = "application/problem+json"
_JSON = "application/json"
_METHODS = ("get", "post", "put", "patch", "delete")
_REQUEST_ID = "0d6b3c4a1a1f4c6d9d5a3f5f0c1f2a77"
_INTRODUCTION = """\
Billing for streaming by the hour, from a Zcash spending permission.

* **Keys.** `Authorization: Bearer <key>`; an operator makes one, `manage.py createapikey NAME`. It may do
  what its scopes say: each call names the one that it needs, and a 403 the one that is missing.
* **Money** is ZEC, with at most 8 decimals. **Instants** are in UTC.
* **Idempotency-Key**, where a call takes one, makes it safe to repeat for a week.
* **Failures** are problem documents (RFC 9457) with a `code` that is stable; `type` leads to what it means.
* **In short**: `POST /api/v1/zcash/permissions`, send the viewer to `checkout_url`, `POST /api/v1/sessions`
  once it is paid, `POST /api/v1/sessions/end`. Be told by webhooks, by streams, or by `GET /api/v1/events`.
"""
_TEXT: Mapping[str, Any] = MappingProxyType({"type": "string"})
_SECONDS: Mapping[str, Any] = MappingProxyType({"type": "integer", "minimum": 0})
_HEADERS: Mapping[str, tuple[str, Mapping[str, Any], Any]] = MappingProxyType(
    {
        "X-Request-Id": ("The call's name in every line of the log", _TEXT, _REQUEST_ID),
        "RateLimit-Policy": (
            "Calls (`q`) in seconds (`w`), by draft-ietf-httpapi-ratelimit-headers-10; absent: no limit",
            _TEXT,
            '"calls";q=12000;w=60',
        ),
        "RateLimit": (
            "Calls that are left (`r`), and seconds until all of them are there again (`t`)",
            _TEXT,
            '"calls";r=11999;t=1',
        ),
        "Retry-After": ("Seconds after which the call may be repeated as it is", _SECONDS, 5),
        "WWW-Authenticate": ("The challenge (RFC 6750)", _TEXT, 'Bearer realm="PayGo"'),
    }
)
_PARTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "address": AddressField.openapi,
        "vendor_id": VendorIdField.openapi,
        "session_code": SessionCodeField.openapi,
    }
)
_ALWAYS = ("X-Request-Id", "RateLimit-Policy", "RateLimit")
_BY_STATUS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}
)
_TAGS: Mapping[str, str] = MappingProxyType(
    {
        "zcash": "Spending permissions",
        "sessions": "Sessions",
        "vendors": "Vendors",
        "keys": "API keys",
        "sandbox": "Sandbox",
        "health": "Health",
    }
)


def complete(result: Document, generator: SchemaGenerator, **_: Any) -> Document:
    """Return the document with what is the same for all calls (drf-spectacular's hook)."""
    result["info"]["description"] = _INTRODUCTION
    # Once more, because the library looks at webhooks later than it collects what they refer to.
    components = result["components"] = generator.registry.build({})
    components["headers"] = {name: _header(*what) for name, what in _HEADERS.items()}
    for path, method, operation in operations(result):
        _close_body(operation, components["schemas"])
        _narrow_path(operation)
        operation["tags"] = [_tag(path)]
        _name_scope(operation)
        _describe_answers(operation)
        _give_examples(operation, examples.kept().get(f"{method.upper()} {path}", {}))
    tags = sorted({each["tags"][0] for _, _, each in operations(result)})
    result["tags"] = [{"name": name} for name in tags]
    return result


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield path, method and description of every call."""
    for path, calls in document["paths"].items():
        for method in _METHODS:
            if method in calls:
                yield path, method, calls[method]


def _tag(path: str) -> str:
    """Return what a call is about: the first part of its path after the version."""
    part = path.removeprefix("/api/v1/").partition("/")[0]
    return _TAGS.get(part, part.replace("-", " ").replace("_", " ").capitalize())


def _name_scope(operation: Document) -> None:
    """Say in words what key a call needs: pages that show the document leave the scope out."""
    scopes = [scope for each in operation.get("security", ()) for of in each.values() for scope in of]
    if scopes:
        operation["description"] += f"\n\nScope: `{scopes[0]}`."


def _close_body(operation: Document, schemas: Document) -> None:
    """Say that a body has no other fields than those that are named: each is refused as unknown."""
    reference = (
        operation.get("requestBody", {}).get("content", {}).get(_JSON, {}).get("schema", {}).get("$ref", "")
    )
    if reference:
        schemas[reference.rpartition("/")[2]]["additionalProperties"] = False


def _narrow_path(operation: Document) -> None:
    """Say of the parts of a path what the same names are in bodies."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and parameter["name"] in _PARTS:
            parameter["schema"] = dict(_PARTS[parameter["name"]])


def _describe_answers(operation: Document) -> None:
    for status, answer in operation["responses"].items():
        number = int(status)
        codes = _codes_of(number) if PROBLEM in answer.get("content", {}) else []
        answer["description"] = _sentence(number, codes)
        names = [*_ALWAYS, *_BY_STATUS.get(status, ())]
        answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        for code in codes[:1]:
            answer["content"][PROBLEM]["example"] = _problem(number, code)


def _sentence(status: int, codes: list[str]) -> str:
    phrase = HTTPStatus(status).phrase
    return f"{phrase}; `code` is one of {', '.join(f'`{code}`' for code in codes)}" if codes else phrase


def _codes_of(status: int) -> list[str]:
    """Return the codes that docs/problems.md has for a status; those of single fields are in `errors`."""
    return [
        code
        for code, entry in entries().items()
        if entry.startswith(f"## `{code}` ({status})") and "in the `errors` of" not in entry
    ]


def _problem(status: int, code: str) -> Document:
    """Return a problem document as a caller may see it."""
    problem: Document = {
        "type": f"https://paygo.example/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _first_sentence(entries()[code]),
        "instance": "/api/v1/sessions",
        "code": code,
        "request_id": _REQUEST_ID,
    }
    if code == "invalid":
        errors = {"field": "vendor_id", "code": "required", "detail": "This field is required."}
        problem["errors"] = [errors]
    return problem


def _first_sentence(entry: str) -> str:
    text = " ".join(entry.partition("\n")[2].split())
    return text.partition(". ")[0].rstrip(".:")


def _give_examples(operation: Document, kept: Mapping[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {})
    if _JSON in content and "request" in kept:
        content[_JSON]["example"] = kept["request"]
    answer = operation["responses"].get(str(kept.get("status")), {}).get("content", {})
    if _JSON in answer:
        answer[_JSON]["example"] = kept["answer"]


def _header(description: str, schema: Mapping[str, Any], example: Any) -> Document:
    return {"description": description, "schema": dict(schema), "example": example}
