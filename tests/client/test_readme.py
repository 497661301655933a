"""What the client's README shows runs as it stands."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from core import clock
from paygo.api import keys
from tests.client.conftest import CLIENT
from tests.factories import make_client, make_vendor
from zcash.simnode import SimNode

STREAM, WEBHOOK = re.findall(r"```python\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)


def run(code: str) -> tuple[dict[str, Any], str]:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(code, "README.md", "exec"), names)
    return names, said.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_stream_runs(
    live_server: LiveServer, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vera = make_client()
    make_vendor(vera)
    monkeypatch.setenv("PAYGO_URL", live_server.url)
    monkeypatch.setenv("PAYGO_API_KEY", keys.create(vera, name="readme", now=clock.now()))
    settings.PAYGO_SANDBOX = True
    with SimNode(datadir=tmp_path, user="paygo", password="secret") as node:
        settings.ZCASH_RPC_URL = node.url
        settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = "paygo", "secret"

        names, said = run(STREAM)

    names["paygo"].close()
    refused, streamed, left = said.splitlines()
    assert refused == "permission_required"
    assert re.fullmatch(r"0\.00\d+ ZEC for \d+\.\d+ s", streamed)
    assert left.startswith("3.99")


def test_the_webhook_receiver_refuses_what_nobody_has_signed() -> None:
    names, _ = run(WEBHOOK)

    assert names["receive"](b"{}", {}, ["whsec_c2VjcmV0"]) == 400
