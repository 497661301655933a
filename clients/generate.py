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
# Its path, its method, and what the document says of it.
Operation = tuple[str, str, Document]

_ARTICLES = {"a", "an", "the", "as"}
_PLAIN = {"string": "str", "integer": "int", "boolean": "bool", "null": "None"}
_IDEMPOTENCY_KEY = "Idempotency-Key"
# Where the types are that several nouns share.
_COMMON = "common"
_WRITTEN = '"""{} Written by clients/generate.py: do not edit."""\n\n'


def modules(document: Document) -> dict[str, str]:
    """Return every module's source by its path: one of types and one of calls for each noun of the API."""
    calls = _calls_by_noun(document)
    types = _types_by_noun(document)
    return {
        "types/__init__.py": _types_package(types),
        **{f"types/{noun}.py": _types_module(document, noun, types) for noun in types},
        "calls/__init__.py": _calls_package(list(calls)),
        **{f"calls/{noun}.py": _calls_module(document, noun, calls[noun]) for noun in calls},
    }


def _noun(call: Document) -> str:
    """Return the last word of a call's tag: `Spending permissions` are in permissions.py."""
    tag: str = call["tags"][0]
    return tag.split()[-1].lower()


def _calls_by_noun(document: Document) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for operation in _operations(document):
        found.setdefault(_noun(operation[2]), []).append(operation)
    return dict(sorted(found.items()))


def _operations(document: Document) -> Iterator[Operation]:
    for path in sorted(document["paths"]):
        for method in ("get", "post"):
            if method in document["paths"][path]:
                yield path, method, document["paths"][path][method]


def _types_by_noun(document: Document) -> dict[str, list[str]]:
    """Return what each noun's calls alone answer; what several do is in common.py. Inner ones come first."""
    schemas = {
        name: of
        for name, of in sorted(document["components"]["schemas"].items())
        if not name.endswith("Request")
    }
    used = {noun: _inner_first(schemas, calls) for noun, calls in _calls_by_noun(document).items()}
    found: dict[str, list[str]] = {}
    for name in _inner_first(schemas, document["paths"]):
        nouns = [noun for noun, names in used.items() if name in names]
        found.setdefault(nouns[0] if len(nouns) == 1 else _COMMON, []).append(name)
    return found


def _inner_first(schemas: Document, user: object) -> list[str]:
    """Return the names of the schemas that this is made of, those that others are made of first."""
    ordered: list[str] = []

    def add(user: object) -> None:
        for inner in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(user)):
            if inner in schemas and inner not in ordered:
                add(schemas[inner])
                ordered.append(inner)

    add(user)
    return ordered


def _types_package(types: Mapping[str, list[str]]) -> str:
    imports = [f"from paygo_client.types.{noun} import {', '.join(names)}\n" for noun, names in types.items()]
    names = sorted(name for of_noun in types.values() for name in of_noun)
    everything = f"\n__all__ = [{', '.join(json.dumps(name) for name in names)}]\n"
    return _WRITTEN.format("What the API answers.") + "".join(imports) + everything


def _types_module(document: Document, noun: str, types: Mapping[str, list[str]]) -> str:
    found = document["components"]["schemas"]
    head = "from decimal import Decimal\nfrom typing import Any, Literal, NotRequired, TypedDict\n"
    if noun != _COMMON and _COMMON in types:
        head += f"\nfrom paygo_client.types.{_COMMON} import {', '.join(types[_COMMON])}\n"
    what = "What calls of several kinds answer." if noun == _COMMON else f"What the calls of {noun} answer."
    parts = [_WRITTEN.format(what) + head, *[_typed_dict(name, found[name]) for name in types[noun]]]
    return "\n\n".join(parts).rstrip() + "\n"


def _calls_package(nouns: list[str]) -> str:
    imports = [f"from paygo_client.calls.{noun} import {_class(noun)}\n" for noun in nouns]
    bases = ", ".join(_class(noun) for noun in nouns)
    whole = f'\n\nclass Calls({bases}):\n    """Every call of the API; amounts are in ZEC."""\n'
    return _WRITTEN.format("A method for every call of the API.") + "".join(imports) + whole


def _calls_module(document: Document, noun: str, calls: list[Operation]) -> str:
    head = [
        _WRITTEN.format(f"A method for every call of {noun}."),
        "from collections.abc import Iterator\nfrom decimal import Decimal\n",
        "from typing import Any, Literal\n\n",
        "from paygo_client import types as _types\nfrom paygo_client.http import Transport\n",
        "from paygo_client.sse import Event\n\n\n",
        f'class {_class(noun)}(Transport):\n    """The calls of {noun}; amounts are in ZEC."""\n',
    ]
    return "".join(head) + "".join(_method(document, *call) for call in calls)


def _class(noun: str) -> str:
    return f"{noun.capitalize()}Calls"


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
    """Write all modules, and nothing else into their packages."""
    written = modules(json.loads(Path(source).read_text(encoding="utf-8")))
    for package in {Path(folder, path).parent for path in written}:
        package.mkdir(exist_ok=True)
        for stale in package.glob("*.py"):
            stale.unlink()
    for path, text in written.items():
        Path(folder, path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
