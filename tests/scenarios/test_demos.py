"""What a newcomer tries first works on a stack as `make run` starts it: `make demo`, `make demo-hybrid`."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from paygo.devstack.anvil import find_anvil
from paygo.devstack.datadir import DataDir
from paygo.devstack.own_stack import own_stack

ROOT = Path(__file__).resolve().parents[2]

# Python 3.12 warns of every fork beside a thread, and the test runner has some.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(scope="module")
def stack() -> Iterator[Mapping[str, str]]:
    folder = Path(tempfile.mkdtemp(prefix="paygo-demos-"))
    folder.chmod(0o755)
    try:
        with own_stack(ROOT, data_dir=folder / "data") as env:
            yield env
    finally:
        DataDir(folder).remove()


def demonstrate(name: str, stack: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", name, "--seconds", "2"]
    return subprocess.run(
        command, cwd=ROOT, env=stack, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.mark.timeout(600)
def test_the_demo_streams_and_shows_its_audit_trail(stack: Mapping[str, str]) -> None:
    shown = demonstrate("demo", stack)

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "ZEC streamed" in shown.stdout


@pytest.mark.timeout(600)
def test_the_hybrid_demo_ends_paid_from_both_rails(stack: Mapping[str, str]) -> None:
    if find_anvil(ROOT) is None:
        pytest.skip("anvil is not installed: npm ci")
    shown = demonstrate("demo_hybrid", stack)

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Done: one stream" in shown.stdout
