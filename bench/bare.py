"""Bare DRF views that send the same statements as the product, and do nothing else; with their own settings.

No keys, no checks, no domain: a serializer, a transaction, three statements, an answer. It is what a start
and an end would cost in this framework if they did not have to be right.
"""

import json
import os
import secrets
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from paygo import settings as product

settings.configure(
    DATABASES=product.DATABASES,
    # The back office needs more settings than a bare server has.
    INSTALLED_APPS=[each for each in product.INSTALLED_APPS if "backoffice" not in each],
    AUTH_USER_MODEL=product.AUTH_USER_MODEL,
    SECRET_KEY=product.SECRET_KEY,
    USE_TZ=True,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    # It sets Content-Length.
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    PAYGO_SANDBOX=False,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench import captured
from core import clock, db

_SENT = captured.load(Path(os.environ["PAYGO_BENCH_STATEMENTS"]))


class StartBody(serializers.Serializer):  # type: ignore[type-arg]
    user_wallet_address = serializers.CharField()
    vendor_id = serializers.CharField()


class EndBody(serializers.Serializer):  # type: ignore[type-arg]
    session_code = serializers.CharField()


class Start(APIView):
    def post(self, request: Request) -> Response:
        body = StartBody(data=request.data)
        body.is_valid(raise_exception=True)
        wallet, now = body.validated_data["user_wallet_address"], clock.now()
        lock, read, write = _SENT.start
        with transaction.atomic():
            permission, *_ = _send(lock, wallet_address=wallet)
            _send(read, wallet_address=wallet, source_id=permission)
            session = _session(write.parameters["session"], wallet, now)
            opened = captured.changed(
                write.parameters["transaction"],
                {"public_id": str(uuid.uuid4()), "permission_id": permission, "started_at": now.isoformat()},
            )
            _send(
                write,
                session=session,
                transaction=opened,
                source_id=permission,
                at=now,
                booked_at=now,
                meter_started_at=now,
            )
        return Response({"session_code": json.loads(session)["code"]}, status=201)


class End(APIView):
    def post(self, request: Request) -> Response:
        body = EndBody(data=request.data)
        body.is_valid(raise_exception=True)
        code, now = body.validated_data["session_code"], clock.now()
        lock, read, write = _SENT.end
        with transaction.atomic():
            permission, _public_id, _client_id, wallet, *_ = _send(lock, code=code)
            _, transactions, *_ = _send(read, code=code, wallet_address=wallet, source_id=permission)
            running = json.loads(transactions)[0]
            # It was started by another process's clock.
            now = max(now, datetime.fromisoformat(running["started_at"]))
            _send(
                write,
                source_id=permission,
                session_id=running["session_id"],
                transaction_id=running["id"],
                at=now,
                booked_at=now,
            )
        return Response({"session_code": code, "amount": 0.0, "id": running["public_id"]})


def _session(row: str, wallet: str, now: datetime) -> str:
    changes = {
        "public_id": str(uuid.uuid4()),
        "code": secrets.token_hex(8),
        "wallet_address": wallet,
        "started_at": now.isoformat(),
        "capped_at": (now + timedelta(hours=12)).isoformat(),
    }
    return captured.changed(row, changes)


def _send(statement: captured.Statement, **parameters: Any) -> tuple[Any, ...]:
    return db.prepared(statement.sql, {**statement.parameters, **parameters})[0]


urlpatterns = [path("api/v1/sessions", Start.as_view()), path("api/v1/sessions/end", End.as_view())]
application = get_wsgi_application()
