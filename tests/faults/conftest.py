"""Vera, and the world of her money behind proxies that cut."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from core.models import User
from tests.factories import make_client, make_vendor
from tests.faults.cut_worlds import CutNode
from tests.faults.money_world import World


@pytest.fixture
def vera(transactional_db: None) -> Iterator[User]:
    client = make_client()
    make_vendor(client)
    yield client
    # With what it keeps.
    connection.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, vera: User, tmp_path: Path, settings: Settings) -> Iterator[World]:
    node = CutNode(tmp_path / "node", dialect=request.param, settings=settings)
    with node.running():
        yield World(vera, node=node, settings=settings)
