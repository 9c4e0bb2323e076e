"""mcalc's answer to an entry of the corpus as the object of its JSON output: all that the referee sees of mcalc."""

from __future__ import annotations

import time
from typing import Any


def answer(entry: dict[str, Any], infer: bool = False, verify: bool = True) -> tuple[dict[str, Any], float]:
    """The object, and the seconds that `derive` took; with `infer` no declarations are given."""
    import mcalc

    options: dict[str, Any] = {} if infer else {"where": entry["where"]}
    start = time.perf_counter()
    derivation = mcalc.derive(entry["expression"], wrt=entry["wrt"], kind=entry["kind"], verify=verify, **options)
    seconds = time.perf_counter() - start
    return derivation.json(), seconds
