"""Calls about statements: the same lines as JSON, CSV, and a page to print."""

from types import MappingProxyType
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from billing import live, statements
from billing.statements import Asked, Read, Statement
from core import clock
from paygo import statement_files
from paygo.api.fields import VendorIdField, path_uuid, path_value
from paygo.api.schema import PERMISSION_IN_PATH, VENDOR_IN_PATH, documented
from paygo.api.statement_bodies import (
    StatementQuery,
    StatementState,
    VendorStatementQuery,
    asked_of,
    render_statement,
)
from paygo.api.views import ApiView, client_id, query
from zcash import queries

_FILES = ("text/csv", "text/html")


class PermissionStatement(ApiView):
    """What came to a permission, and what left it."""

    scopes = MappingProxyType({"GET": "permissions:read"})

    @documented(
        "Show the statement of a permission",
        answers={200: StatementState},
        images=_FILES,
        problems=(400, 404, 503),
        parameters=[PERMISSION_IN_PATH, StatementQuery],
    )
    def get(self, request: Request, permission_id: str) -> HttpResponseBase:
        """Answer every movement of the permission's money, and what runs now."""
        values = query(request, StatementQuery)
        now, public_id = clock.now(), path_uuid(permission_id, field="permission_id")
        permission = queries.of_client(client_id=client_id(request), public_id=public_id)
        live.read(permission.pk, now=now)
        return _answer(
            request,
            values,
            lambda asked: statements.of_permission(permission, asked=asked, now=now),
        )


class VendorStatement(ApiView):
    """What a vendor earned, and what it was paid."""

    scopes = MappingProxyType({"GET": "vendors:read"})

    @documented(
        "Show the statement of a vendor",
        answers={200: StatementState},
        images=_FILES,
        problems=(400, 404, 503),
        parameters=[VENDOR_IN_PATH, VendorStatementQuery],
    )
    def get(self, request: Request, vendor_id: str) -> HttpResponseBase:
        """Answer every movement of the vendor's money, or what one payout is made of, line by line."""
        values = query(request, VendorStatementQuery)
        client, slug = client_id(request), path_value(VendorIdField(), vendor_id, name="vendor_id")
        payout = values.get("payout")

        def read(asked: Asked) -> Statement:
            if payout:
                return statements.of_payout(payout, client_id=client, slug=slug, asked=asked)
            return statements.of_vendor(client_id=client, slug=slug, asked=asked)

        return _answer(request, values, read)


def _answer(request: Request, values: dict[str, Any], read: Read) -> HttpResponseBase:
    asked = asked_of(values)
    if values.get("format") == "csv":
        return statement_files.table(read, asked=asked, reader=client_id(request))
    first = read(asked)
    if values.get("format") == "html":
        return HttpResponse(statement_files.as_page(first, next_url=_next_url(request, first)))
    return Response(render_statement(first))


def _next_url(request: Request, statement: Statement) -> str | None:
    if statement.next_after is None:
        return None
    asked = request.query_params.copy()
    asked["after"] = str(statement.next_after)
    return f"?{asked.urlencode()}"
