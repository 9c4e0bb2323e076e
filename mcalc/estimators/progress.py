"""What `verbose` shows: a progress bar where tqdm is installed, else a line for each epoch."""

from __future__ import annotations

from typing import Any


class Progress:
    """Shows each epoch of a training of at most `total` ones; silent where `verbose` is false."""

    def __init__(self, total: int, verbose: bool | int) -> None:
        self.verbose = bool(verbose)
        self.bar: Any = _bar(total) if self.verbose else None

    def epoch(self, number: int, loss: float, score: float | None) -> None:
        """The loss, and the validation score if there is one."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss = {loss:.6g}" + ("" if score is None else f", score = {score:.4f}"))
            self.bar.update()
        elif self.verbose:
            print(f"Iteration {number}, loss = {loss:.8f}")
            if score is not None:
                print(f"Validation score: {score:.6f}")

    def close(self, reason: str) -> None:
        """The end, and why it came (may be empty)."""
        if self.bar is not None:
            self.bar.close()
        if self.verbose and reason:
            print(reason)


def _bar(total: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, unit="epoch")


__all__ = ["Progress"]
