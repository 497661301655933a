"""A chain of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from core.models import User
from tests.evm.world import World, in_world
from tests.factories import make_client, make_vendor


@pytest.fixture
def vera(db: None) -> User:
    client = make_client()
    make_vendor(client)
    return client


@pytest.fixture
def world(tmp_path: Path, settings: Settings, db: None) -> Iterator[World]:
    with in_world(tmp_path / "evm", settings) as world:
        yield world
