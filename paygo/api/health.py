"""The call about the service's own health; it needs no key and tells no secret."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from paygo import health
from paygo.api.fields import ChoiceField, path_value
from paygo.api.problems import anticipated
from paygo.api.schema import STRICT_IN_QUERY, documented
from paygo.api.views import PublicView


class Part(serializers.Serializer[Any]):
    """One thing that PayGo needs; more members say how it is."""

    ok = serializers.BooleanField()
    detail = serializers.CharField(required=False, help_text="What is wrong")


class HealthState(serializers.Serializer[Any]):
    """Every part, checked within the last 2 s."""

    status = ChoiceField(["ok", "degraded"])
    failing = serializers.ListField(child=ChoiceField(list(health.PARTS)))
    database = Part()
    cache = Part()
    broker = Part()
    node = Part()
    wallet = Part()
    billing = Part()
    deposits = Part()
    refunds = Part()
    events = Part()
    books = Part()
    clock = Part()


class Health(PublicView):
    """The health of the service and of what it needs."""

    @documented(
        "Show the service's health",
        answers={200: HealthState, 503: HealthState},
        problems=(400,),
        parameters=[STRICT_IN_QUERY],
        public=True,
    )
    def get(self, request: Request) -> Response:
        """Answer each part; 503 when the database is unusable, with `?strict=1` for any failing part."""
        # What else a monitor sends, to get past caches, is none of PayGo's business.
        given = request.query_params.get("strict", "0")
        strict = path_value(ChoiceField(["0", "1"]), given, name="strict") == "1"
        report = health.report()
        failing = [name for name, part in report.items() if not part["ok"]]
        down = "database" in failing or (strict and bool(failing))
        answer = {"status": "degraded" if failing else "ok", "failing": failing, **report}
        headers = {"Cache-Control": "no-store", **({"Retry-After": "5"} if down else {})}
        return anticipated(Response(answer, status=503 if down else 200, headers=headers))
