"""The OpenAPI document: reviewed, complete, with examples that are true, and a client made of it."""

import ast
import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS

from paygo.api import openapi
from paygo.api.schema import document
from paygo.management.commands.openapi import text_of
from tests.api import matrix

ROOT = Path(settings.BASE_DIR)
RENEW = "`make api` renews it; review and commit what it changes"
# What cannot succeed in the world of the matrix, and so has no answer to show.
FAILING = {
    f"{route.method} {route.template}" for route in matrix.routes() if matrix.OWN.get(route.name, 200) >= 400
}
CALLS = [(f"{method.upper()} {path}", call) for path, method, call in openapi.operations(document())]


def validate(example: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(example)


def contents(call: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return status, media type and content of every answer."""
    return [
        (status, media_type, content)
        for status, answer in call["responses"].items()
        for media_type, content in answer.get("content", {}).items()
    ]


def test_is_the_one_that_was_reviewed() -> None:
    assert text_of(document()) == (ROOT / "docs" / "openapi.json").read_text(), RENEW


def test_the_client_is_true_to_it() -> None:
    """Compared without layout: the committed files are formatted."""
    generate = runpy.run_path(str(ROOT / "clients" / "generate.py"))
    written: dict[str, str] = generate["modules"](json.loads(text_of(document())))
    package = ROOT / "clients" / "python" / "paygo_client"
    committed = {
        str(path.relative_to(package)): path.read_text()
        for folder in ("types", "calls")
        for path in (package / folder).glob("*.py")
    }

    assert sorted(committed) == sorted(written), RENEW
    for path, text in written.items():
        assert _meaning(text) == _meaning(committed[path]), f"{path}: {RENEW}"


def _meaning(source: str) -> list[str]:
    tree = ast.parse(source)
    # Which names are imported follows from the rest.
    return [ast.dump(each) for each in tree.body if not isinstance(each, ast.ImportFrom)]


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[name for name, _ in CALLS])
class TestEveryCall:
    def test_has_an_example_of_its_body_and_of_its_success(self, name: str, call: dict[str, Any]) -> None:
        body = call.get("requestBody", {}).get("content", {}).get("application/json")
        answers = [content for status, kind, content in contents(call) if status < "3" and "json" in kind]

        assert body is None or not _required(body["schema"]) or "example" in body, RENEW
        assert not answers or name in FAILING or any("example" in each for each in answers), RENEW

    def test_has_examples_that_fit_their_schemas(self, name: str, call: dict[str, Any]) -> None:
        body = call.get("requestBody", {}).get("content", {}).get("application/json", {})
        for content in [body, *[each for _, _, each in contents(call)]]:
            if "example" in content:
                validate(content["example"], content["schema"])

    def test_says_how_it_fails_with_which_codes(self, name: str, call: dict[str, Any]) -> None:
        problems = {status: content for status, kind, content in contents(call) if kind == openapi.PROBLEM}

        assert "429" in problems
        for status, content in problems.items():
            assert content["example"]["status"] == int(status)
            assert content["example"]["code"] in call["responses"][status]["description"]

    def test_names_its_limits_and_its_request_id(self, name: str, call: dict[str, Any]) -> None:
        for status, answer in call["responses"].items():
            assert {"X-Request-Id", "RateLimit", "RateLimit-Policy"} <= answer["headers"].keys()
            assert ("Retry-After" in answer["headers"]) == (status in ("429", "503"))


def _required(schema: dict[str, Any]) -> list[str]:
    name = schema["$ref"].rpartition("/")[2]
    found: list[str] = document()["components"]["schemas"][name].get("required", [])
    return found


def test_is_valid_json_to_the_letter() -> None:
    text = text_of(document())

    assert json.loads(text) == json.loads(json.dumps(document()))


def test_is_made_without_a_doubt() -> None:
    """The generator warns, and goes on, where two serializers have one name or a type cannot be told."""
    document()

    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache
