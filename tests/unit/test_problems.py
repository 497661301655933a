"""The table from failures to problem documents: whole, documented, and telling no secret."""

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.exceptions import ErrorDetail, ValidationError

from core import errors
from core.errors import DomainError
from paygo.api.errors import BodyTooLarge, InsufficientScope, LengthRequired
from paygo.api.problem_pages import entries
from paygo.api.problems import HTTP_CODES, OTHER_CODES, problem_of, status_of


def domain_errors() -> list[type[DomainError]]:
    """Every class of failure that any module of the domain defines."""
    for package in ("core", "zcash", "sessions_app", "billing"):
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, f"{package}."):
            if ".migrations" not in found.name and ".management" not in found.name:
                importlib.import_module(found.name)
    return sorted(set(_below(DomainError)), key=lambda kind: kind.__qualname__)


def _below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def all_codes() -> set[str]:
    kinds = {kind.code for kind in domain_errors()}
    return kinds | {code for _, code, _ in HTTP_CODES} | set(OTHER_CODES)


@pytest.mark.parametrize("kind", domain_errors(), ids=lambda kind: kind.__qualname__)
def test_maps_every_domain_failure_to_a_status_and_an_entry_of_the_docs(kind: type[DomainError]) -> None:
    status = status_of(kind)

    assert status is not None
    assert entries()[kind.code].startswith(f"## `{kind.code}` ({status.value})\n")


def test_gives_every_code_one_meaning() -> None:
    meanings: dict[str, set[object]] = {}
    for kind in domain_errors():
        meanings.setdefault(kind.code, set()).add(status_of(kind))

    assert {code for code, statuses in meanings.items() if len(statuses) > 1} == set()
    assert not meanings.keys() & ({code for _, code, _ in HTTP_CODES} | set(OTHER_CODES))


def test_documents_every_code_and_no_other() -> None:
    assert entries().keys() == all_codes()


def test_tells_the_context_of_a_402_in_json_types() -> None:
    error = errors.PaymentRequired(
        "pay", missing_amount=Decimal("2.5"), pay_before=datetime(2026, 1, 2, tzinfo=UTC), status="x"
    )

    problem = problem_of(error)

    assert problem is not None
    document = problem.document(instance="/api/v1/sessions")
    assert (document["missing_amount"], document["pay_before"]) == (2.5, "2026-01-02T00:00:00Z")
    assert document["status"] == 402
    assert document["type"].endswith("/problems/payment_required")


def test_names_the_field_of_an_invalid_value() -> None:
    problem = problem_of(errors.Invalid("must be small", field="requested_amount"))

    assert problem is not None
    assert problem.document(instance="/")["errors"] == [
        {"field": "requested_amount", "code": "invalid", "detail": "must be small"}
    ]


def test_names_every_field_of_a_body_at_once() -> None:
    error = ValidationError(
        {"a": [ErrorDetail("no", code="required")], "b": [ErrorDetail("bad", code="invalid")]}
    )

    problem = problem_of(error)

    assert problem is not None
    assert [(each.field, each.code) for each in problem.field_errors] == [("a", "required"), ("b", "invalid")]
    assert problem.detail == "a: no; b: bad"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (exceptions.ParseError("x"), 400, "malformed_body"),
        (exceptions.NotAuthenticated(), 401, "authentication_required"),
        (exceptions.AuthenticationFailed(), 401, "invalid_api_key"),
        (InsufficientScope("sessions:read"), 403, "insufficient_scope"),
        (Http404(), 404, "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (LengthRequired(), 411, "length_required"),
        (BodyTooLarge(), 413, "body_too_large"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (OperationalError("password=secret"), 503, "database_unavailable"),
        (InterfaceError("connection already closed"), 503, "database_unavailable"),
        (errors.Busy(), 503, "busy"),
    ],
)
def test_answers_anticipated_failures_with_their_code(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)

    assert problem is not None
    assert (problem.status, problem.code) == (status, code)
    assert "secret" not in str(problem.document(instance="/"))
    assert ("Retry-After" in problem.headers) == (status == 503)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), AssertionError(), RuntimeError()])
def test_leaves_a_fault_of_the_program_to_django(error: Exception) -> None:
    assert problem_of(error) is None
