"""The client as an integrator has it: from its own folder, without anything of the service."""

import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "python"

if str(CLIENT) not in sys.path:
    sys.path.insert(0, str(CLIENT))
