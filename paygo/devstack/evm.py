"""The local EVM chain of a stack: a folder with its state, the service's key, and the file of chains."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from paygo.devstack.anvil import command
from paygo.devstack.errors import StackError
from paygo.devstack.ports import LOOPBACK, kept_port
from paygo.environment import NO_FILES

BLOCK_SECONDS = 2


class EvmChain:
    """One chain, kept in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._port = kept_port(folder / "port")
        self.url = f"http://{LOOPBACK}:{self._port}"
        self.chains_file = folder / "chains.toml"
        self.key_file = folder / "service_key"

    def command(self, program: Path) -> list[str]:
        """Return the command line of its node."""
        state = self._folder / "state.json"
        return command(program, port=self._port, state=state, block_seconds=BLOCK_SECONDS)

    def prepare(self, base_dir: Path, *, log: Path) -> None:
        """Put token and collector on the chain, once, and write the file of chains.

        Raises:
            StackError: it did not work; the log says why.
        """
        self._make_key()
        line = [sys.executable, "-m", "paygo.devstack.evm_prepare", self.url, str(self._folder)]
        with log.open("ab") as output:
            done = subprocess.run(
                line,
                cwd=base_dir,
                stdout=output,
                stderr=output,
                env={**os.environ, NO_FILES: "1"},
                check=False,
            )
        if done.returncode:
            raise StackError(f"The contracts could not be put on the local EVM chain: see {log}")

    def _make_key(self) -> None:
        if not self.key_file.exists():
            opened = os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
