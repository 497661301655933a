"""What is in contracts/build is what the locked compiler makes of the sources."""

import json

import pytest

from contracts import build


@pytest.mark.parametrize("source", build.sources(), ids=lambda source: source.stem)
def test_compiles_to_the_committed_bytes(source) -> None:
    committed = (build.BUILD / f"{source.stem}.json").read_text()

    assert build.text(build.compiled(source)) == committed
    assert json.loads(committed)["compiler"].startswith("vyper 0.4.3")
