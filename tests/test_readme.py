"""The README says what happens: its examples are run, and their output compared.

`pytest --update-golden` writes the output of the commands into it.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_CONSOLE = re.compile(r"```console\n(\$ .*?\n)(.*?)```", re.DOTALL)


def output(command: str) -> str:
    args = shlex.split(command.removeprefix("$ mcalc "))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-m", "mcalc", *args], capture_output=True, env=env, cwd=ROOT, timeout=60)
    return (done.stdout + done.stderr).decode()


def _figure(text: str) -> str:
    """Without the last digits of the measured error, which depend on the processor."""
    return re.sub(r"relative error \S+", "relative error …", text)


def test_commands(request: pytest.FixtureRequest) -> None:
    text = README.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        text = _CONSOLE.sub(lambda m: f"```console\n{m[1]}{output(m[1].strip())}```", text)
        README.write_text(text, encoding="utf-8")
    found = _CONSOLE.findall(text)
    assert len(found) >= 4
    for command, expected in found:
        assert _figure(output(command.strip())) == _figure(expected)


def test_python() -> None:
    failed, tried = doctest.testfile(str(README), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert tried >= 5 and not failed


def test_main_commands_are_single_lines() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2 and all(block.count("\n") == 1 for block in blocks)


def test_python_that_is_shown_is_generated() -> None:
    shown = [
        b for b in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL) if ">>>" not in b
    ]
    modules = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "generated").glob("*.py"))]
    assert len(shown) == 1
    assert any(textwrap.indent(shown[0], "    ") in module for module in modules)
