"""Tables to take along, written before they are sent: who reads slowly holds a thread, and nothing else.

Threads are few, too: so many downloads at once from a process, and so many of them to one reader.
"""

from collections.abc import Hashable, Iterable
from contextlib import ExitStack
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from django.http import FileResponse

from core.errors import Busy
from paygo.places import Places

# A larger table waits on the disk for a reader who is slow.
_IN_MEMORY_BYTES: Final = 1024 * 1024

places = Places(64, each=4)


class Download(FileResponse):
    """A file whose reader gives its place back when it has been sent, or when he has gone."""

    def __init__(self, file: Any, *, at_end: ExitStack, **more: Any) -> None:
        super().__init__(file, as_attachment=True, **more)
        self._at_end = at_end

    def close(self) -> None:
        """Give the place back; twice does no harm."""
        super().close()
        self._at_end.close()


def csv_of(lines: Iterable[str], *, name: str, reader: Hashable) -> Download:
    """Answer all lines as a file of a name.

    Raises:
        Busy: as many downloads are on their way to this reader, or to all, as may be.
    """
    if not places.take(reader):
        raise Busy("as many downloads are under way as may be at once: end one, or wait for it")
    with ExitStack() as unless_sent:
        unless_sent.callback(partial(places.leave, reader))
        file = unless_sent.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))
        file.writelines(line.encode() for line in lines)
        file.seek(0)
        return Download(
            file, at_end=unless_sent.pop_all(), filename=name, content_type="text/csv; charset=utf-8"
        )
