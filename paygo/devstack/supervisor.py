"""`make run`: brings the parts up in order, keeps them up, and takes all of them down with itself."""

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psycopg
import redis
import requests

from paygo.devstack import anvil, evm, services
from paygo.devstack.banner import banner
from paygo.devstack.children import Children, Service
from paygo.devstack.console import LogFollower, say, step
from paygo.devstack.datadir import DataDir
from paygo.devstack.errors import StackError
from paygo.devstack.ports import LOOPBACK, bind_error, kept_port
from paygo.devstack.postgres import PostgresCluster
from paygo.devstack.process import die_with_parent, spawn, wait_until
from paygo.devstack.valkey import Valkey
from paygo.devstack.wallet import service_wallet
from paygo.environment import NO_FILES, load_dotenv

READY_SECONDS = 90.0
TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Options:
    """What the command line of a stack says."""

    base_dir: Path
    data_dir: Path
    host: str
    port: int


class StopRequested(BaseException):
    """A signal has asked this process to end; no `except Exception` holds it up."""


class Supervisor:
    """One run of a stack; it owns the processes, and the folder from `lock` to its end."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._data = DataDir(options.data_dir)
        self._launcher = services.Launcher(options.base_dir, self._data)
        self._children = Children(on_change=self._data.record_pids)
        self._env: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        self._chain: evm.EvmChain | None = None

    def run(self) -> None:
        """Run the stack until SIGINT, SIGTERM or SIGHUP. Raises StackError where it cannot start."""
        self._data.forget_sourced_env()
        load_dotenv(self._options.base_dir)
        self._data.lock()
        _stop_on_signals()
        try:
            self._start()
            print(banner(self._env, made=self._made, data=self._data), flush=True)
            while True:
                self._children.tick()
                time.sleep(TICK_SECONDS)
        except StopRequested:
            say("stopping")
        finally:
            self._stop()

    def _start(self) -> None:
        for leftover in self._data.end_leftovers():
            say(f"an earlier run did not end properly: stopped its {leftover}")
        _check_port(self._options.host, self._options.port)
        self._env = self._base_environment()
        self._start_database()
        self._start_broker()
        simulated = self._start_node()
        self._start_chain()
        self._prepare()
        if simulated:
            self._open_wallet()
            self._env.setdefault("PAYGO_DEMO_CLIENT", self._made.get("client", ""))
        self._start_web()
        for service in services.upkeep(self._launcher, env=self._env):
            self._children.start(service)
        if self._chain:
            self._children.start(
                services.collector(self._launcher, env=self._env, key_file=self._chain.key_file)
            )
        self._data.write_env(self._written_env())

    def _base_environment(self) -> dict[str, str]:
        own = {
            "EMAIL_URL": f"filemail:///{self._data.path / 'mail'}",
            "PAYGO_URL": f"http://{_reachable(self._options.host)}:{self._options.port}",
            "PAYGO_SECRET_KEY": os.environ.get("PAYGO_SECRET_KEY") or self._data.secret("secret_key"),
            "PYTHONUNBUFFERED": "1",
        }
        return {**own, **os.environ, "PAYGO_SECRET_KEY": own["PAYGO_SECRET_KEY"], NO_FILES: "1"}

    def _start_database(self) -> None:
        with step("PostgreSQL") as detail:
            if url := self._env.get("DATABASE_URL"):
                _check_database(url)
                detail("yours (DATABASE_URL)")
                return
            cluster = PostgresCluster(self._data.path / "postgres", log=self._data.log("postgres"))
            cluster.start()
            self._env["DATABASE_URL"] = cluster.url()
            detail("; ".join(cluster.notes))
        service = Service(
            name="postgres",
            log=cluster.log,
            spawn=cluster.spawn,
            stage=services.DATABASE,
            stop_signal=signal.SIGINT,
            stop_seconds=10.0,
            quiet=True,
        )
        self._children.adopt(service, cluster.process)

    def _start_broker(self) -> None:
        with step("Valkey") as detail:
            if url := self._env.get("REDIS_URL"):
                _check_redis(url)
                detail("yours (REDIS_URL)")
                return
            valkey = Valkey(self._data.path / "valkey", log=self._data.log("valkey"))
            valkey.start()
            self._env["REDIS_URL"] = valkey.url()
            detail("; ".join(valkey.notes))
        service = Service(
            name="valkey", log=valkey.log, spawn=valkey.spawn, stage=services.BROKER, quiet=True
        )
        self._children.adopt(service, valkey.process)

    def _start_node(self) -> bool:
        """Start the simulated node, unless the environment names a node; it gets ready meanwhile."""
        if self._env.get("ZCASH_RPC_URL"):
            return False
        folder = self._data.path / "zcashnode"
        folder.mkdir(exist_ok=True)
        port = kept_port(folder / "port")
        self._env["ZCASH_RPC_URL"] = f"http://{LOOPBACK}:{port}"
        self._env["ZCASH_RPC_USER"] = "paygo"
        self._env["ZCASH_RPC_PASSWORD"] = self._data.secret("rpc_password")
        self._env.setdefault("ZCASH_NETWORK", "regtest")
        self._env.setdefault("ZCASH_MIN_CONFIRMATIONS", "1")
        self._env.setdefault("PAYGO_SANDBOX", "1")
        # A newcomer's receiver runs on the same machine.
        self._env.setdefault("WEBHOOK_ALLOW_LOOPBACK", "1")
        seconds = self._env.get("PAYGO_BLOCK_SECONDS", "10")
        node_port = self._zebrad_port(folder)
        self._children.start(
            services.node(
                self._launcher, port=port, node_port=node_port, block_seconds=seconds, env=self._env
            )
        )
        return True

    def _start_chain(self) -> None:
        """Start the local EVM chain, unless the environment names chains; say plainly where it cannot be."""
        with step("local EVM chain") as detail:
            if named := self._env.get("ETHEREUM_CHAINS_FILE"):
                detail(f"yours ({named})")
                return
            program = anvil.find_anvil(self._options.base_dir)
            if program is None:
                detail(anvil.MISSING)
                return
            chain = evm.EvmChain(self._data.path / "evm")
            self._children.start(services.evm_chain(self._launcher, chain.command(program)))
            self._wait_for("evm", lambda: _answers(chain.url))
            chain.prepare(self._options.base_dir, log=self._data.log("evm_prepare"))
            self._env["ETHEREUM_CHAINS_FILE"] = str(chain.chains_file)
            self._env.setdefault("ETHEREUM_COLLECT_SECONDS", "3")
            self._chain = chain
            detail(chain.url)

    def _zebrad_port(self, folder: Path) -> int | None:
        """Return where the simulated zebrad listens beside a simulated zallet, None for a zcashd."""
        dialect = self._env.get("PAYGO_NODE_DIALECT", "zcashd")
        if dialect not in ("zcashd", "zallet"):
            raise StackError(f"PAYGO_NODE_DIALECT is {dialect!r}; it must be zcashd or zallet.")
        if dialect == "zcashd":
            # What the simulated zcashd lets be spent; zallet waits for ten blocks, as the default does.
            self._env.setdefault("REFUND_CONFIRMATIONS", "3")
            return None
        port = kept_port(folder / "node_port")
        self._env["ZCASH_NODE_URL"] = f"http://{LOOPBACK}:{port}"
        self._env["ZCASH_NODE_COOKIE_FILE"] = str(folder / "zebrad" / ".cookie")
        return port

    def _prepare(self) -> None:
        with step("migrations, demo data"):
            log = self._data.log("prepare")
            output = self._data.path / "prepared.json"
            env = {
                **self._env,
                "PAYGO_API_KEY": self._env.get("PAYGO_API_KEY") or self._data.recorded("api_key"),
                "PAYGO_ADMIN_PASSWORD": self._data.secret("admin_password"),
            }
            command = [sys.executable, "-m", "paygo.devstack.prepare", str(output)]
            process = spawn(command, log=log, env=env, cwd=self._options.base_dir)
            if process.wait() != 0:
                raise StackError(f"{LogFollower('prepare', log).last_line()}\nThe whole story is in {log}")
            self._made = json.loads(output.read_text(encoding="utf-8"))
            output.unlink()
        if key := self._made.get("api_key"):
            self._env["PAYGO_API_KEY"] = self._data.secret("api_key", value=key)

    def _open_wallet(self) -> None:
        with step("simulated Zcash node"):
            url = self._env["ZCASH_RPC_URL"]
            self._wait_for("node", lambda: _answers(url))
            self._env["ZCASH_SERVICE_WALLET"] = self._env.get("ZCASH_SERVICE_WALLET") or self._data.secret(
                "service_wallet",
                value=service_wallet(
                    url,
                    user=self._env["ZCASH_RPC_USER"],
                    password=self._env["ZCASH_RPC_PASSWORD"],
                    known=self._data.recorded("service_wallet"),
                ),
            )

    def _start_web(self) -> None:
        host, port = self._options.host, self._options.port
        with step("web") as detail:
            self._children.start(services.web(self._launcher, host=host, port=port, env=self._env))
            health = f"http://{_reachable(host)}:{port}/api/v1/health"
            self._wait_for("web", lambda: _answers(health, status=200))
            detail(self._env["PAYGO_URL"])

    def _wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        def is_over() -> bool:
            if words := self._children.has_died(name):
                raise StackError(f"{name} stopped while starting: {words}")
            return ready()

        if not wait_until(is_over, seconds=READY_SECONDS, every=0.1):
            raise StackError(f"{name} did not get ready within {READY_SECONDS:.0f} s (see {self._data.logs})")

    def _written_env(self) -> dict[str, str]:
        names = (
            "PAYGO_URL",
            "PAYGO_API_KEY",
            "DATABASE_URL",
            "REDIS_URL",
            "ZCASH_NETWORK",
            "ZCASH_RPC_URL",
            "ZCASH_RPC_USER",
            "ZCASH_RPC_PASSWORD",
            "ZCASH_SERVICE_WALLET",
            "ZCASH_NODE_URL",
            "ZCASH_NODE_COOKIE_FILE",
            "ZCASH_MIN_CONFIRMATIONS",
            "PAYGO_SANDBOX",
            "REFUND_CONFIRMATIONS",
            "PAYGO_SECRET_KEY",
            "ETHEREUM_CHAINS_FILE",
        )
        return {name: self._env[name] for name in names if name in self._env}

    def _stop(self) -> None:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        self._children.stop_all()
        self._data.close()


def main(options: Options) -> int:
    """Run a stack; the exit code is 1, with a line or two on stderr, where it cannot start."""
    die_with_parent()
    try:
        Supervisor(options).run()
    except (StackError, OSError, ValueError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _stop_on_signals() -> None:
    def request_stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise StopRequested

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup make run &` has SIGHUP ignored, and means it.
        if signum is not signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, request_stop)


def _check_port(host: str, port: int) -> None:
    error = bind_error(port, host=host)
    if error is None:
        return
    if error.errno != errno.EADDRINUSE:
        raise StackError(f"The web server cannot listen on {host}:{port}: {error.strerror or error}")
    raise StackError(
        f"Port {port} is in use by another program.\n"
        f"Stop that one, or choose another port: make run PORT={port + 1}"
    )


def _reachable(host: str) -> str:
    return LOOPBACK if host in ("0.0.0.0", "::") else host  # noqa: S104


def _answers(url: str, *, status: int | None = None) -> bool:
    try:
        answer = requests.get(url, timeout=5)
    except requests.RequestException:
        return False
    return status is None or answer.status_code == status


def _check_database(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        raise StackError(f"The database of DATABASE_URL does not answer: {error}") from error


def _check_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise StackError(f"The server of REDIS_URL does not answer: {error}") from error
