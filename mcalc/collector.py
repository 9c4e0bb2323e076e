"""Python's garbage collector, held off while a pass builds what lives until it is done.

Trees, nodes and lines have no cycles and go when nobody reads them. The collector would walk all that there are again
and again: of a network of hundreds of layers, that is a fifth of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection until the end of the block."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
