"""Settings come from the environment, then `.env`, then the `.paygo/env` of a live stack."""

import os
import subprocess
from pathlib import Path

import pytest

from paygo.environment import (
    NO_FILES,
    STACK_PID,
    STACK_STARTED,
    load_environment,
    process_started,
    read_env_file,
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", values)
    return values


def write_stack(base: Path, *, pid: int, started: str | None, **values: str) -> None:
    (base / ".paygo").mkdir()
    lines = {**values, STACK_PID: str(pid), STACK_STARTED: started or ""}
    text = "".join(f"export {name}='{value}'\n" for name, value in lines.items())
    (base / ".paygo" / "env").write_text(text, encoding="utf-8")


def test_prefers_the_environment_to_dotenv_and_dotenv_to_the_stack(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["A"] = "environment"
    (tmp_path / ".env").write_text("A=dotenv\nB=dotenv\n", encoding="utf-8")
    own = os.getpid()
    write_stack(tmp_path, pid=own, started=process_started(own), A="stack", B="stack", C="stack")

    load_environment(tmp_path)

    assert (environment["A"], environment["B"], environment["C"]) == ("environment", "dotenv", "stack")


def test_ignores_the_file_of_a_stack_that_is_dead(tmp_path: Path, environment: dict[str, str]) -> None:
    child = subprocess.Popen(["true"])
    started = process_started(child.pid)
    child.wait()
    write_stack(tmp_path, pid=child.pid, started=started, C="stack")

    load_environment(tmp_path)

    assert "C" not in environment


def test_ignores_the_file_of_a_stack_that_is_a_zombie(tmp_path: Path, environment: dict[str, str]) -> None:
    child = subprocess.Popen(["sleep", "30"])
    started = process_started(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    write_stack(tmp_path, pid=child.pid, started=started, C="stack")

    load_environment(tmp_path)
    child.wait()

    assert "C" not in environment


def test_ignores_a_stack_whose_pid_now_belongs_to_another_process(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    write_stack(tmp_path, pid=os.getpid(), started="1", C="stack")

    load_environment(tmp_path)

    assert "C" not in environment


def test_reads_no_files_where_the_environment_is_complete(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    environment[NO_FILES] = "1"
    (tmp_path / ".env").write_text("B=dotenv\n", encoding="utf-8")

    load_environment(tmp_path)

    assert "B" not in environment


def test_reads_quotes_comments_and_export_as_a_shell_does(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# note\n\nexport A='x y'\nB=\"z#1\"  # why\nC=\nD=a=b\n", encoding="utf-8")

    assert read_env_file(path) == {"A": "x y", "B": "z#1", "C": "", "D": "a=b"}


@pytest.mark.parametrize("line", ["A", "A=x y", "1A=x", "A='x", "A-B=x"])
def test_names_file_and_line_of_what_is_no_assignment(tmp_path: Path, line: str) -> None:
    path = tmp_path / "env"
    path.write_text(f"OK=1\n{line}\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"env:2: "):
        read_env_file(path)


def test_finds_nothing_in_a_file_that_is_missing(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "none") == {}
