"""Writes the typed half of the Python client from docs/openapi.json; `make api` runs it, a test compares.

    python clients/generate.py docs/openapi.json clients/python/paygo_client

Standard library only, so that it needs neither the service nor the client installed.
"""

import builtins
import json
import keyword
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]

_ARTICLES = {"a", "an", "the", "as"}
_PLAIN = {"string": "str", "integer": "int", "boolean": "bool", "null": "None"}
_IDEMPOTENCY_KEY = "Idempotency-Key"
_WRITTEN = '"""{} Written by clients/generate.py: do not edit."""\n\n'


def types_module(document: Document) -> str:
    """Return the module of what the API takes and answers."""
    found = document["components"]["schemas"]
    parts = [_WRITTEN.format("What the API answers.")]
    parts.append("from decimal import Decimal\nfrom typing import Any, Literal, NotRequired, TypedDict\n")
    answers = {name: of for name, of in sorted(found.items()) if not name.endswith("Request")}
    parts += [_typed_dict(name, answers[name]) for name in _inner_first(answers)]
    return "\n\n".join(parts).rstrip() + "\n"


def _inner_first(schemas: Document) -> list[str]:
    """Return the names of schemas, those that others are made of first."""
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in ordered or name not in schemas:
            return
        for inner in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schemas[name])):
            add(inner)
        ordered.append(name)

    for name in schemas:
        add(name)
    return ordered


def calls_module(document: Document) -> str:
    """Return the module with a method for every call."""
    methods = [_method(document, *call) for call in _operations(document)]
    text = "".join(methods)
    names = sorted(set(re.findall(r"_types\.(\w+)", text)))
    assert names, "no call answers anything"
    head = [
        _WRITTEN.format("A method for every call of the API."),
        "from collections.abc import Iterator\nfrom decimal import Decimal\n",
        "from typing import Any, Literal\n\n",
        "from paygo_client import types as _types\nfrom paygo_client.http import Transport\n",
        "from paygo_client.sse import Event\n\n\n",
        'class Calls(Transport):\n    """Every call of the API; amounts are in ZEC."""\n',
    ]
    return "".join(head) + text


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path in sorted(document["paths"]):
        for method in ("get", "post"):
            if method in document["paths"][path]:
                yield path, method, document["paths"][path][method]


def _typed_dict(name: str, schema: Document) -> str:
    required = set(schema.get("required", ()))
    lines = [f"class {name}(TypedDict):", _docstring(schema.get("description", name), indent=4), ""]
    for field, of in schema.get("properties", {}).items():
        kind = _type(of, number="Decimal", prefix="")
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
    return "\n".join(lines)


def _method(document: Document, path: str, method: str, call: Document) -> str:
    """Return one method: parts of the path first, then keywords for the query and the body's fields."""
    parameters = call.get("parameters", ())
    in_path = re.findall(r"{(\w+)}", path)
    query = [each for each in parameters if each["in"] == "query"]
    body = _body(document, call)
    has_key = any(each["name"] == _IDEMPOTENCY_KEY for each in parameters)
    answer, how = _answer(call)
    arguments = ["self", *[f"{_safe(name)}: str" for name in in_path]]
    keywords = [
        *_keywords_of_body(body),
        *[f"{_safe(each['name'])}: {_query_type(each)} = None" for each in query],
    ]
    if has_key:
        keywords.append("idempotency_key: str | None = None")
    if keywords:
        arguments += ["*", *keywords]
    target = "f" if in_path else ""
    sent = [f'"{method.upper()}"', f'{target}"{_formatted(path)}"']
    if query:
        sent.append("query={" + ", ".join(f'"{each["name"]}": {_safe(each["name"])}' for each in query) + "}")
    if body is not None:
        sent.append(f"body={_dict_of(body)}")
    if has_key:
        sent.append("idempotency_key=idempotency_key")
    signature = ",\n        ".join(arguments)
    name = _name(call["operationId"])
    return (
        f"\n    def {name}(\n        {signature},\n    ) -> {answer}:\n"
        f"{_docstring(call.get('description') or call['summary'], indent=8)}\n"
        f"{_fetched(answer, how, sent)}"
    )


def _fetched(answer: str, how: str, sent: list[str]) -> str:
    call = f"self.{how}({', '.join(sent)})"
    if how != "_json":
        return f"        return {call}\n"
    return f"        answer: {answer} = {call}\n        return answer\n"


def _body(document: Document, call: Document) -> Document | None:
    content = call.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    schema: Document = _resolved(document, content["schema"])
    return schema


def _resolved(document: Document, schema: Document) -> Document:
    if "$ref" not in schema:
        return schema
    found: Document = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _keywords_of_body(body: Document | None) -> list[str]:
    if body is None:
        return []
    required = set(body.get("required", ()))
    fields = body.get("properties", {})
    typed = {name: _type(of, number="Decimal | float", prefix="_types.") for name, of in fields.items()}
    first = [f"{_safe(name)}: {kind}" for name, kind in typed.items() if name in required]
    return first + [
        f"{_safe(name)}: {_or_none(kind)} = None" for name, kind in typed.items() if name not in required
    ]


def _dict_of(body: Document) -> str:
    """Return the body's fields; what was not given is not sent."""
    required = set(body.get("required", ()))
    fields = body.get("properties", {})
    given = "{" + ", ".join(f'"{name}": {_safe(name)}' for name in fields if name in required) + "}"
    optional = [name for name in fields if name not in required]
    if not optional:
        return given
    return f"self._given({given}, " + ", ".join(f"{_safe(name)}={_safe(name)}" for name in optional) + ")"


def _answer(call: Document) -> tuple[str, str]:
    """Return the type of a call's success, and the method of the transport that fetches it."""
    for status in sorted(call["responses"]):
        content = call["responses"][status].get("content", {})
        if not status.startswith("2"):
            continue
        if "text/event-stream" in content and "application/json" not in content:
            return "Iterator[Event]", "_stream"
        if "application/json" in content:
            return _type(content["application/json"]["schema"], number="Decimal", prefix="_types."), "_json"
        if content:
            return "bytes", "_bytes"
    return "None", "_nothing"


def _query_type(parameter: Document) -> str:
    return _or_none(_type(parameter["schema"], number="Decimal | float", prefix="_types."))


def _or_none(kind: str) -> str:
    return kind if "None" in kind.split(" | ") else f"{kind} | None"


def _type(schema: Document, *, number: str, prefix: str) -> str:
    """Return Python's type of a schema."""
    if "$ref" in schema:
        return prefix + str(schema["$ref"].rpartition("/")[2])
    if "allOf" in schema and len(schema["allOf"]) == 1:
        return _type(schema["allOf"][0], number=number, prefix=prefix)
    if consts := _consts(schema):
        return consts
    if several := schema.get("oneOf") or schema.get("anyOf"):
        return " | ".join(dict.fromkeys(_type(each, number=number, prefix=prefix) for each in several))
    kinds = schema.get("type", "any")
    if isinstance(kinds, list):
        return " | ".join(_type({**schema, "type": kind}, number=number, prefix=prefix) for kind in kinds)
    if kinds == "array":
        return f"list[{_type(schema.get('items', {}), number=number, prefix=prefix)}]"
    if kinds == "number":
        return number
    return {**_PLAIN, "object": "dict[str, Any]"}.get(kinds, "Any")


def _consts(schema: Document) -> str:
    values = schema.get("enum") or [each.get("const", ...) for each in schema.get("oneOf", ())]
    if not values or ... in values:
        return ""
    named = ", ".join(json.dumps(each) for each in values if each is not None)
    return f"Literal[{named}]" + (" | None" if None in values else "")


def _name(operation_id: str) -> str:
    return "_".join(word for word in operation_id.split("_") if word not in _ARTICLES)


def _safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) or hasattr(builtins, name) else name


def _formatted(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: "{self._part(" + _safe(found[1]) + ")}", path)


def _docstring(text: str, *, indent: int) -> str:
    """Return a text as a docstring of lines that fit."""
    clean = text.replace("\\", "/").replace('"""', "'''").strip()
    space = " " * indent
    paragraphs = [
        textwrap.fill(part, 105, initial_indent=space, subsequent_indent=space)
        for part in clean.split("\n\n")
    ]
    quoted = f'{space}"""{paragraphs[0].lstrip()}'
    if len(paragraphs) > 1 or "\n" in quoted:
        paragraphs[0] = textwrap.fill(
            paragraphs[0].strip(), 102, initial_indent=f'{space}"""', subsequent_indent=space
        )
        return "\n\n".join(paragraphs) + f'\n{space}"""'
    return f'{quoted}"""'


def main(source: str, folder: str) -> None:
    """Write both modules."""
    document = json.loads(Path(source).read_text(encoding="utf-8"))
    Path(folder, "types.py").write_text(types_module(document), encoding="utf-8")
    Path(folder, "calls.py").write_text(calls_module(document), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
