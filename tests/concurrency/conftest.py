"""The world of every race: Vera's client with a vendor, committed."""

import pytest

from core.models import User
from tests.factories import make_client, make_vendor


@pytest.fixture
def vera(transactional_db: None) -> User:
    client = make_client()
    make_vendor(client)
    return client
