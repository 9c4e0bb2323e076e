"""The front end: text in, typed expressions out."""

from mcalc.frontend.parse import Parsed, SymbolInfo, parse

__all__ = ["Parsed", "SymbolInfo", "parse"]
