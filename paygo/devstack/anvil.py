"""The local EVM chain: anvil from its npm package, or whichever the operator names."""

import os
import shutil
from pathlib import Path

from paygo.devstack.ports import LOOPBACK

CHAIN_ID = 31337
MISSING = "no local EVM chain: it needs `npm ci` (Node 18 or newer) once; all else works without it"


def find_anvil(base_dir: Path) -> Path | None:
    """Return the program: PAYGO_ANVIL, else the npm package's own binary, else the one on the PATH."""
    if named := os.environ.get("PAYGO_ANVIL"):
        return Path(named)
    packaged = sorted(base_dir.glob("node_modules/@foundry-rs/anvil-*/bin/anvil*"))
    if packaged:
        return packaged[0]
    found = shutil.which("anvil")
    return Path(found) if found else None


def command(program: Path, *, port: int, state: Path | None, block_seconds: int | None) -> list[str]:
    """Return the command line; without seconds it mines when told to."""
    mining = ["--no-mining"] if block_seconds is None else ["--block-time", str(block_seconds)]
    kept = ["--state", str(state), "--state-interval", "5"] if state else []
    return [
        *(str(program), "--host", LOOPBACK, "--port", str(port), "--chain-id", str(CHAIN_ID), "--silent"),
        *mining,
        *kept,
    ]
