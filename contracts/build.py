"""`make contracts`: compiles the contracts to `contracts/build/`, byte for byte the same everywhere.

The compiler is locked in requirements-dev.txt; version, EVM and optimisation are in each source's pragmas.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUILD = HERE / "build"


def sources() -> list[Path]:
    """Return the contracts' sources."""
    return sorted([*HERE.glob("*.vy"), *HERE.glob("tests/*.vy")])


def compiled(source: Path) -> dict[str, Any]:
    """Return what is kept of a contract: who compiled it, its ABI and its bytecode."""
    import vyper

    output = vyper.compile_code(
        source.read_text(encoding="utf-8"),
        output_formats=["abi", "bytecode"],
        contract_path=source.name,
    )
    return {"compiler": f"vyper {vyper.__version__}", "abi": output["abi"], "bytecode": output["bytecode"]}


def text(contract: dict[str, Any]) -> str:
    """Return the text of a contract's file."""
    return json.dumps(contract, indent=1) + "\n"


def main() -> None:
    """Write all contracts."""
    BUILD.mkdir(exist_ok=True)
    for source in sources():
        (BUILD / f"{source.stem}.json").write_text(text(compiled(source)), encoding="utf-8")


if __name__ == "__main__":
    main()
