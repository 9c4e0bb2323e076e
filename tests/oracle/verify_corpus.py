"""`python -m tests.oracle.verify_corpus [files]`: the expected answers against automatic differentiation."""

from __future__ import annotations

import sys
from pathlib import Path

from .corpus import files, load, verify
from .syntax import OracleError


def main(arguments: list[str]) -> int:
    wrong = 0
    for path in [Path(a) for a in arguments] or files():
        entries = load(path)
        for entry in entries:
            try:
                failures = verify(entry)
            except (OracleError, KeyError, ValueError) as problem:
                failures = [f"{entry['id']}: {type(problem).__name__}: {problem}"]
            wrong += bool(failures)
            for failure in failures[:1]:
                print(failure)
        print(f"{path.name}: {len(entries)} entries")
    print(f"wrong: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
