"""The worlds of refunds and of deposits, each once in each dialect of the wallet."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from core.models import User
from tests import refunding
from tests.factories import make_client, make_vendor
from tests.integration.nodes import DIALECTS, running_world
from tests.integration.nodes import World as PayingWorld
from tests.refunding import World


@pytest.fixture(params=refunding.DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, db: None) -> Iterator[World]:
    """A node in either dialect; at the end what left the account is what refunds say, each once."""
    with refunding.in_world(tmp_path / "node", dialect=request.param, settings=settings) as world:
        yield world


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


@pytest.fixture(params=DIALECTS)
def node(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, db: None
) -> Iterator[PayingWorld]:
    """A node in either dialect, everybody who pays through it, and the passes that look at it."""
    with running_world(request.param, datadir=tmp_path / "node", settings=settings) as world:
        yield world
