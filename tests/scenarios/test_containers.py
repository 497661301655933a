"""The containers run what `make run` runs, and are asked for their health in a way that they answer."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as django_settings
from pytest_django.live_server_helper import LiveServer

from paygo.devstack import services

ROOT = Path(django_settings.BASE_DIR)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PRODUCTION = (ROOT / "docs" / "operators" / "production.md").read_text()


def listed(instruction: str) -> list[str]:
    """Return the JSON list of an instruction of the Dockerfile, whose lines a backslash joins."""
    text = DOCKERFILE.replace("\\\n", "")
    found: list[str] = json.loads(re.findall(rf"^{instruction} (\[.*\])$", text, re.MULTILINE)[0])
    return found


def environment() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE))))


def of_python(words: list[str]) -> list[str]:
    """Return what Python is told, by a command of the image's PATH."""
    return words[1:] if words[0] == "python" else ["-m", *words]


def web() -> list[str]:
    image = environment()
    return services.web_command(
        host="0.0.0.0",  # within the container
        port=8080,
        workers=2,
        threads=int(image["PAYGO_DB_POOL"]),
        streams=int(image["STREAM_LIMIT"]),
    )


def test_the_image_serves_the_web_as_the_stack_does():
    assert of_python(listed("CMD")) == web()
    assert int(environment()["STREAM_LIMIT"]) == services.WEB_STREAMS


def test_the_web_speaks_http_1_alone_where_a_body_without_a_length_is_refused():
    command = web()

    assert command[command.index("--http") + 1] == "1"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("worker", services.WORKER),
        ("beat", services.BEAT),
        ("watcher", services.WATCHER),
        ("collector", services.COLLECTOR),
    ],
)
def test_compose_runs_what_the_stack_runs(name: str, words: tuple[str, ...]):
    assert of_python(shlex.split(COMPOSE[name]["command"])) == list(words)
    assert COMPOSE[name]["environment"]["PAYGO_DB_POOL"] == "0"


def test_the_page_for_operators_names_the_same_commands():
    commands = [
        of_python(shlex.split(text.replace("manage.py", "python manage.py")))
        for text in (
            re.findall(
                r"^\| (?:web|worker|beat|watcher|collector) \|.*?\| `([^`]+)`", PRODUCTION, re.MULTILINE
            )
        )
    ]

    stack = [services.WORKER, services.BEAT, services.WATCHER, services.COLLECTOR]
    assert commands == [web(), *map(list, stack)]


def test_only_the_collector_is_given_the_key_of_the_service():
    assert [name for name, each in COMPOSE.items() if "ethereum_key" in str(each)] == ["collector"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hosts", ["", "paygo.example,www.paygo.example", ".paygo.example", "*"])
def test_the_image_is_healthy_behind_a_proxy_under_its_own_name(
    live_server: LiveServer, settings: Any, hosts: str
):
    settings.ALLOWED_HOSTS = hosts.split(",") if hosts else ["localhost"]
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    _, option, code = listed("HEALTHCHECK .* CMD")

    asked = subprocess.run(
        [sys.executable, option, code.replace("http://127.0.0.1:8080", live_server.url)],
        env={"PAYGO_ALLOWED_HOSTS": hosts},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert asked.returncode == 0, asked.stderr
