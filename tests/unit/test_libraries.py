"""What the libraries of Ethereum may not do to a process."""

import subprocess
import sys

_SCRIPT = """
import sys
before = sys.getrecursionlimit()
from billing.ethereum.keys import Key
Key("0x" + "11" * 32)
from billing.ethereum import typed_data
from billing.ethereum.libraries import loading
with loading():
    import web3
assert "py_ecc" in sys.modules
assert sys.getrecursionlimit() == before
"""


def test_deep_json_still_raises_where_they_are_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
