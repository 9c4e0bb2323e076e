"""Places: errors in a part of a text, shown in the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcalc.errors import McalcError, Span

if TYPE_CHECKING:
    from mcalc.frontend.model_statements import Piece


@contextmanager
def moved(piece: Piece) -> Iterator[None]:
    """Errors whose place is in the piece get their place in the whole text; the text itself is left to the caller."""
    try:
        yield
    except McalcError as error:
        start, end = error.span if error.span is not None else (0, len(piece.text))
        error.span = Span(start + piece.start, end + piece.start)
        error.text = None
        raise
