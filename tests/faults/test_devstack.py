"""What `make run` starts survives kills and half-dead earlier runs, and leaves nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
import redis

from paygo.devstack.children import Children, Service
from paygo.devstack.datadir import DataDir
from paygo.devstack.errors import StackError
from paygo.devstack.ports import free_port
from paygo.devstack.postgres import PostgresCluster
from paygo.devstack.process import spawn, stop, wait_until
from paygo.devstack.valkey import Valkey
from paygo.environment import NO_FILES, process_started, read_env_file, stack_is_alive

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[[int], subprocess.Popen[str]]

# Python 3.12 warns of every fork beside a thread, and the test runner has some.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the account of a server started by root can enter; pytest's own is private."""
    path = Path(tempfile.mkdtemp(prefix="paygo-devstack-"))
    path.chmod(0o755)
    yield path
    DataDir(path).remove()


@pytest.fixture
def run(folder: Path) -> Iterator[Run]:
    """Starts a stack with its data in the folder and its web server on a port; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(port: int) -> subprocess.Popen[str]:
        started.append(_run(folder / "data", port=port))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def cluster(folder: Path) -> Iterator[PostgresCluster]:
    made = PostgresCluster(folder / "postgres")
    yield made
    made.remove()


def test_keeps_what_was_committed_when_postgres_is_killed(cluster: PostgresCluster) -> None:
    cluster.start()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        durability = connection.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
        ).fetchone()
    url = cluster.url()
    cluster.process.kill()
    cluster.process.wait()

    again = PostgresCluster(cluster.home)
    again.start()

    with psycopg.connect(again.url()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert durability == ("on", "on")
    assert again.url() == url
    again.stop()


def test_takes_over_from_a_server_that_an_earlier_run_left(cluster: PostgresCluster) -> None:
    cluster.start()
    leftover = cluster.process

    again = PostgresCluster(cluster.home)
    again.start()

    assert leftover.wait(timeout=60) == 0
    assert "earlier run" in again.notes[0]
    again.stop()


def test_starts_where_the_recorded_pid_belongs_to_another_process(cluster: PostgresCluster) -> None:
    cluster.start()
    pid_file = cluster.data / "postmaster.pid"
    text = pid_file.read_text("ascii")
    cluster.stop()
    # Of the same account: PostgreSQL takes any such process for its own postmaster.
    other = spawn(["sleep", "300"], log=cluster.log, user=cluster.user)
    pid_file.write_text(text.replace(text.split("\n", 1)[0], str(other.pid), 1), "ascii")

    cluster.start()

    psycopg.connect(cluster.url()).close()
    assert process_started(other.pid) is not None
    stop(other)


def test_makes_the_cluster_anew_when_initdb_was_cut_off(cluster: PostgresCluster) -> None:
    (cluster.place / "data.new").mkdir()
    (cluster.place / "data.new" / "half").touch()

    cluster.start()

    psycopg.connect(cluster.url()).close()


def test_puts_the_cluster_where_its_account_can_enter() -> None:
    private = Path(tempfile.mkdtemp(prefix="paygo-private-"))
    cluster = PostgresCluster(private / "postgres")

    cluster.start()

    psycopg.connect(cluster.url()).close()
    assert private.stat().st_mode & 0o777 == 0o700
    assert cluster.place.parent == (Path("/var/lib") if os.geteuid() == 0 else private)
    cluster.remove()
    shutil.rmtree(private)


def test_says_which_release_made_a_cluster_that_none_here_can_serve(cluster: PostgresCluster) -> None:
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("9\n", "ascii")

    with pytest.raises(StackError, match="PostgreSQL 9, which is not installed"):
        cluster.start()


def test_keeps_valkeys_data_over_a_restart_on_the_same_port(folder: Path) -> None:
    valkey = Valkey(folder / "valkey")
    valkey.start()
    url = valkey.url()
    with redis.Redis.from_url(url) as client:
        client.set("kept", "1")
    valkey.stop()

    valkey.start()

    with redis.Redis.from_url(valkey.url()) as client:
        assert client.get("kept") == b"1"
    assert valkey.url() == url
    valkey.stop()


def test_starts_valkey_empty_when_its_file_cannot_be_read(folder: Path) -> None:
    valkey = Valkey(folder / "valkey")
    valkey.start()
    valkey.stop()
    for manifest in (valkey.home / "appendonlydir").glob("*.manifest"):
        manifest.write_text("nonsense\n", "ascii")

    valkey.start()

    with redis.Redis.from_url(valkey.url()) as client:
        assert client.ping()
    assert "starts empty" in valkey.notes[0]
    valkey.stop()


def test_a_killed_parent_takes_its_servers_along(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from paygo.devstack.postgres import PostgresCluster\n"
        "from paygo.devstack.valkey import Valkey\n"
        "servers = PostgresCluster(Path(sys.argv[1]) / 'postgres'), Valkey(Path(sys.argv[1]) / 'valkey')\n"
        "for server in servers: server.start()\n"
        "print(*(server.process.pid for server in servers), flush=True); time.sleep(300)\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2

        parent.kill()

        assert wait_until(lambda: not any(map(process_started, pids)), seconds=60)


def test_starts_again_what_has_died_and_stops_in_stages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pids: dict[str, int] = {}
    children = Children(on_change=pids.update)
    ends = tmp_path / "ends"
    for name, stage in (("first", 0), ("second", 1)):
        children.start(_recorder(name, stage=stage, ends=ends, folder=tmp_path))
    assert wait_until(lambda: len(list(tmp_path.glob("*.up"))) == 2, seconds=60)
    killed = pids["second"]
    (tmp_path / "second.up").unlink()
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        children.tick()
        return (tmp_path / "second.up").exists()

    assert wait_until(is_back, seconds=60)
    children.stop_all()

    assert pids["second"] != killed
    assert "stopped by SIGKILL; starting it again" in capsys.readouterr().out
    assert ends.read_text("ascii").split() == ["first", "second"]


def _recorder(name: str, *, stage: int, ends: Path, folder: Path) -> Service:
    # Says that it is up, and when it was told to stop.
    script = (
        f"trap 'echo {name} >> {ends}; exit 0' TERM; touch {folder / name}.up; while :; do sleep 0.05; done"
    )
    log = folder / f"{name}.log"
    return Service(name=name, log=log, stage=stage, spawn=lambda: spawn(["/bin/sh", "-c", script], log=log))


def test_a_second_run_is_told_that_one_is_running(folder: Path, run: Run) -> None:
    holder = DataDir(folder / "data")
    holder.lock()
    holder.write_env({"PAYGO_URL": "http://127.0.0.1:8080"})

    errors = run(free_port()).communicate(timeout=120)[1]

    assert errors.split("\n")[1].startswith("PayGo is already running from this folder")
    assert "Traceback" not in errors


def test_a_free_port_is_none_that_the_system_gives_to_another_meanwhile() -> None:
    ports = [free_port() for _ in range(20)]

    # Those that it gives away begin at 32768 or above; and nobody else who asks here chooses the same.
    assert max(ports) < 32_768
    assert len(set(ports)) > 15


def test_an_occupied_port_is_named(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = run(port)

        errors = process.communicate(timeout=120)[1]

    assert process.returncode == 1
    assert f"Port {port} is in use" in errors
    assert "Traceback" not in errors


def test_a_killed_stack_leaves_no_process_and_the_next_run_goes_on(folder: Path, run: Run) -> None:
    port = free_port()
    process = run(port)
    pids = _wait_until_up(process, folder / "data")
    key = read_env_file(folder / "data" / "env")["PAYGO_API_KEY"]

    process.kill()
    process.communicate()

    # The local EVM chain is there where npm has fetched it.
    always = set(pids) - {"evm", "collector"}
    assert always == {"postgres", "valkey", "node", "web", "worker", "beat", "watcher"}
    assert wait_until(lambda: not any(map(process_started, pids.values())), seconds=60)
    again = run(port)
    pids = _wait_until_up(again, folder / "data")
    assert read_env_file(folder / "data" / "env")["PAYGO_API_KEY"] == key
    started = time.monotonic()
    again.send_signal(signal.SIGINT)
    output = again.communicate(timeout=60)
    assert again.returncode == 0, output
    assert time.monotonic() - started < 30
    assert not any(map(process_started, pids.values()))
    assert not stack_is_alive(read_env_file(folder / "data" / "env"))


def _run(data_dir: Path, *, port: int) -> subprocess.Popen[str]:
    foreign = ("DATABASE_URL", "REDIS_URL", "ZCASH_", "PAYGO_", "BILLING_", "MAKE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    command = [
        sys.executable,
        "-m",
        "paygo.devstack",
        "run",
        "--data-dir",
        str(data_dir),
        "--port",
        str(port),
    ]
    env |= {NO_FILES: "1", "PAYGO_WEB_WORKERS": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _wait_until_up(process: subprocess.Popen[str], data_dir: Path) -> Mapping[str, int]:
    def is_up() -> bool:
        assert process.poll() is None, process.communicate()
        values = read_env_file(data_dir / "env")
        return values.get("PAYGO_STACK_PID") == str(process.pid) and stack_is_alive(values)

    assert wait_until(is_up, seconds=90)
    lines = (data_dir / "pids").read_text("utf-8").splitlines()
    return {name: int(pid) for name, pid, _started in (line.split() for line in lines)}
