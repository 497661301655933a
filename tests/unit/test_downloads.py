"""Downloads: whole before they are sent, and no more of them to one reader than his share."""

from collections.abc import Iterable, Iterator

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections

from core.errors import Busy
from paygo import downloads
from paygo.places import Places


@pytest.fixture(autouse=True)
def _one_for_each(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(downloads, "places", Places(9, each=1))
    # Nothing here asks a database.
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


def asked(reader: str, lines: Iterable[str] = ()) -> downloads.Download:
    return downloads.csv_of(lines, name="table.csv", reader=reader)


def test_a_file_is_written_before_it_is_sent():
    lines = iter(["a,b\r\n"] * 100_000)

    answer = asked("slow", lines)

    assert next(lines, None) is None
    assert answer.getvalue() == b"a,b\r\n" * 100_000
    answer.close()


def test_a_reader_has_his_share_until_he_has_read():
    unread = asked("slow")

    with pytest.raises(Busy):
        asked("slow")
    asked("another").close()
    unread.close()
    unread.close()
    asked("slow").close()


def test_what_cannot_be_written_takes_no_place():
    with pytest.raises(ZeroDivisionError):
        asked("unlucky", (str(1 // each) for each in (1, 0)))

    asked("unlucky").close()
