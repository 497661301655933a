"""What the README shows runs as it stands."""

import contextlib
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from pytest_django.live_server_helper import LiveServer

from core import clock
from paygo.api import keys
from tests.factories import make_client, make_vendor
from zcash.simnode import SimNode

README = Path(django_settings.BASE_DIR, "README.md").read_text()


@pytest.mark.django_db(transaction=True)
def test_the_conversation_runs_as_it_stands(live_server: LiveServer, settings, tmp_path: Path):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl to talk with")
    (script,) = re.findall(r"```bash\n\. \.paygo/env\n(.*?)```", README, re.DOTALL)
    vera = make_client()
    make_vendor(vera)
    with SimNode(datadir=tmp_path, user="paygo", password="secret") as node:
        settings.ZCASH_RPC_URL = node.url
        settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = "paygo", "secret"
        environment = {
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "PAYGO_URL": live_server.url,
            "PAYGO_API_KEY": keys.create(vera, name="readme", now=clock.now()),
            "ZCASH_RPC_URL": node.url,
            "ZCASH_RPC_USER": "paygo",
            "ZCASH_RPC_PASSWORD": "secret",
        }

        said = subprocess.run(
            ["bash", "-eu", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    answers = [line for line in said.splitlines() if line.startswith("{")]
    assert '"max_streaming_hours":4.0' in answers[0]
    assert '"status":"active"' in answers[3]
    assert '"session_code"' in answers[4]
    assert '"status":"confirmed"' in answers[-2]
    assert '"status":"revoked"' in answers[-1]


@pytest.mark.django_db(transaction=True)
def test_the_same_runs_from_python(
    live_server: LiveServer, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    vera = make_client()
    make_vendor(vera)
    settings.PAYGO_SANDBOX = True
    monkeypatch.setenv("PAYGO_URL", live_server.url)
    monkeypatch.setenv("PAYGO_API_KEY", keys.create(vera, name="readme", now=clock.now()))
    monkeypatch.syspath_prepend(Path(django_settings.BASE_DIR, "clients", "python"))
    with SimNode(datadir=tmp_path, user="paygo", password="secret") as node:
        settings.ZCASH_RPC_URL = node.url
        settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = "paygo", "secret"

        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(compile(code, "README.md", "exec"), {})

    checkout, receipt = said.getvalue().splitlines()
    assert "/checkout/" in checkout
    assert re.fullmatch(r"0\.00\d+ ZEC for \d+\.\d+ s", receipt)
