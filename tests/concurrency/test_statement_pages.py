"""A statement of several pages is what the books said at one instant, whatever is booked meanwhile."""

from collections.abc import Callable
from contextlib import closing

import pytest

from billing import engine, statements
from billing.statements import Asked, Read, Statement
from core.models import User
from paygo import statement_files
from tests.concurrency.threads import elsewhere
from tests.factories import ZEC, after, make_active_permission, pay, stream
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = Asked(limit=1)


@pytest.fixture
def permission(vera: User) -> SpendingPermission:
    """Paid twice."""
    made = make_active_permission(vera, requested=4 * ZEC, rate=ZEC)
    pay(made, 2 * ZEC, now=after(hours=0.5))
    return made


@pytest.fixture
def end(vera: User, permission: SpendingPermission) -> Callable[[], None]:
    """End, an hour after the statement's instant, what streams since hour 1."""
    code = stream(vera, now=after(hours=1))
    return lambda: engine.end(code, client_id=vera.pk, now=after(hours=4))


def test_a_table_tells_of_one_instant_while_a_session_ends(
    permission: SpendingPermission, end: Callable[[], None]
) -> None:
    before = _table(_reader(permission))

    assert "running" in before
    assert _table(_reader(permission, meanwhile=end)) == before
    assert "running" not in _table(_reader(permission))


def test_pages_of_several_instants_tell_something_else(
    permission: SpendingPermission, end: Callable[[], None]
) -> None:
    """The race itself, with nothing that holds it off."""
    before = list(statements.pages(_reader(permission), asked=ASKED))

    assert list(statements.pages(_reader(permission, meanwhile=end), asked=ASKED)) != before


def _reader(permission: SpendingPermission, *, meanwhile: Callable[[], None] | None = None) -> Read:
    """Return what reads a statement as of hour 3, and lets something happen behind its first page."""

    def read(asked: Asked) -> Statement:
        page = statements.of_permission(permission, asked=asked, now=after(hours=3))
        if meanwhile and not asked.after:
            elsewhere(meanwhile)
        return page

    return read


def _table(read: Read) -> str:
    with closing(statement_files.table(read, asked=ASKED, reader="vera")) as answer:
        return str(answer.getvalue(), "utf-8")
