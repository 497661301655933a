"""`python -m paygo.devstack run` is `make run`; `clean` deletes what a stack has kept."""

import argparse
import sys
from pathlib import Path

from paygo.devstack.datadir import DataDir
from paygo.devstack.errors import StackError
from paygo.devstack.pgbinaries import remove_copies
from paygo.devstack.supervisor import Options, main

BASE_DIR = Path(__file__).resolve().parents[2]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m paygo.devstack", description=__doc__)
    parser.add_argument("action", choices=("run", "clean"))
    parser.add_argument("--data-dir", type=Path, default=BASE_DIR / ".paygo", help="default: .paygo")
    parser.add_argument("--host", default="127.0.0.1", help="address of the web server")
    parser.add_argument("--port", type=_port, default=8080, help="port of the web server (default: 8080)")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text} is not a port: a number from 1 to 65535")
    return int(text)


def _clean(data: DataDir) -> int:
    try:
        data.lock()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    data.remove()
    if data.path == BASE_DIR / ".paygo":
        remove_copies()
    return 0


if __name__ == "__main__":
    arguments = _parser().parse_args()
    if arguments.action == "clean":
        sys.exit(_clean(DataDir(arguments.data_dir)))
    sys.exit(main(Options(BASE_DIR, arguments.data_dir.absolute(), arguments.host, arguments.port)))
