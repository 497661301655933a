"""The client as an integrator has it: from its own folder, without anything of the service."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "python"

if str(CLIENT) not in sys.path:
    sys.path.insert(0, str(CLIENT))


@pytest.fixture(autouse=True)
def _connections_end() -> Iterator[None]:
    """A thread of the server lives as long as the client's connection, and holds one to the database."""
    yield
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(timeout=5)
