"""The front end: text in, typed expressions out."""

from mcalc.frontend.inline import Function
from mcalc.frontend.parse import Parsed, SymbolInfo, parse

__all__ = ["Function", "Parsed", "SymbolInfo", "parse"]
