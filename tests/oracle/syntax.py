"""A small reader of the mcalc language, written apart from mcalc: text to nested tuples."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

GREEK = {chr(code): unicodedata.name(chr(code)).split()[-1].lower() for code in range(0x3B1, 0x3CA) if code != 0x3C2}
GREEK["λ"] = "lambda"
GREEK.update({letter.upper(): word.capitalize() for letter, word in GREEK.items() if len(letter.upper()) == 1})
GREEK_WORDS = set(GREEK.values())

ELEMENTWISE = {"exp", "log", "log1p", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh"}
ELEMENTWISE |= {"tanh", "abs", "sign", "relu", "sigmoid", "softplus", "erf"}
SCALAR_VALUED = {"tr", "trace", "det", "logdet", "sum", "norm", "norm1", "norm2", "logsumexp", "mean", "max"}
SCALAR_VALUED |= {"min", "dot"}
MATRIX_VALUED = {"inv", "adj", "pinv", "diag", "tril", "triu", "vec", "kron", "outer", "expm", "softmax"}
FUNCTIONS = ELEMENTWISE | SCALAR_VALUED | MATRIX_VALUED
SIZED = {"ones", "zeros", "eye", "dup", "elim"}
FITTED = {"vector", "matrix"}
PRODUCTS = {"*": "*", "@": "*", "·": "*", "/": "/", ".*": ".*", "∘": ".*", "⊙": ".*"}
PRODUCTS.update({"./": "./", "⊘": "./", "⊗": "kron"})
COMPARISONS = {"==", ">", ">=", "<", "<="}
SUPERSCRIPTS = {"ᵀ": "^T", "⁻¹": "^-1", "²": "^2", "³": "^3", "𝟏": "1"}

NUMBER = re.compile(r"\d+\.\d+([eE][-+]?\d+)?|\d+([eE][-+]?\d+)?|\.\d+")
ONES = re.compile(r"1_(\{[^}]*\}|[A-Za-z0-9]+)")
WORD = re.compile(r"([^\W\d_]+)(\d*)(?:_(\{[^}]*\}|[^\W_]+))?")
OPERATOR = re.compile(r"\.\*|\./|\.\^|==|>=|<=|\|\||[-+*/@·∘⊙⊘⊗^'()\[\]{},;:=<>|]")


class OracleError(Exception):
    """The text cannot be read or has no value."""


def canonical(name: str) -> str:
    """One spelling per name: Greek letters as words, no braces around a subscript."""
    return (
        "".join(GREEK.get(letter, letter) for letter in unicodedata.normalize("NFKC", name))
        .replace("{", "")
        .replace("}", "")
    )


def tokenize(text: str, names: frozenset[str]) -> list[tuple[str, str, bool]]:
    """Tokens (kind, text, preceded by a space); runs of letters that are no known word are split."""
    for sign, plain in SUPERSCRIPTS.items():
        text = text.replace(sign, plain)
    text = unicodedata.normalize("NFKC", text)
    tokens: list[tuple[str, str, bool]] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        space = place == 0 or text[place - 1].isspace()
        if match := ONES.match(text, place):
            tokens.append(("ones", match[1].strip("{}"), space))
        elif match := NUMBER.match(text, place):
            tokens.append(("number", match[0], space))
        elif match := OPERATOR.match(text, place):
            tokens.append(("op", match[0], space))
        elif match := WORD.match(text, place):
            exponent = re.search(r"\^\{?\s*-?\s*$", text[:place]) is not None
            if exponent and match[0][0] == "T" and canonical(match[0]) not in names - {"T"}:
                tokens.append(("op", "T", False))
                place += 1
                continue
            place = _word(text, place, match, names, space, tokens)
            continue
        else:
            raise OracleError(f"unexpected {text[place]!r} in {text!r}")
        place = match.end()
    return tokens


def _word(text: str, place: int, match: re.Match, names: frozenset[str], space: bool, tokens: list[tuple]) -> int:
    """Append the tokens of a run of letters; the place after it."""
    call = re.compile(r"(log1p|norm1|norm2)(?=\s*\()").match(text, place)
    if call and call[1] not in names:
        tokens.append(("name", call[1], space))
        return call.end()
    whole = canonical(match[0])
    letters = match[1]
    known = whole in names or canonical(letters) in FUNCTIONS | SIZED | FITTED | {"pi", "all", "axis", "d"}
    differential = letters[0] == "d" and canonical(match[0][1:]) in names
    single = len(letters) == 1 or letters in GREEK_WORDS
    if known or single or differential:
        kind = "differential" if differential and whole not in names else "name"
        tokens.append((kind, canonical(match[0][1:]) if kind == "differential" else whole, space))
        return match.end()
    for index, letter in enumerate(letters):
        tail = match[0][len(letters) :] if index == len(letters) - 1 else ""
        tokens.append(("name", canonical(letter + tail), space and index == 0))
    return match.end()


class Reader:
    """A precedence parser over the tokens of one expression."""

    def __init__(self, text: str, names: frozenset[str], dims: frozenset[str], differentials: bool = False) -> None:
        self.text, self.names, self.dims, self.differentials = text, names, dims, differentials
        self.tokens = tokenize(text, names | dims)
        self.place = 0
        self.bars: list[str] = []

    def peek(self, ahead: int = 0) -> tuple[str, str, bool]:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else ("end", "", True)

    def take(self, *texts: str) -> str | None:
        kind, text, _ = self.peek()
        if kind == "op" and text in texts:
            self.place += 1
            return text
        return None

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise OracleError(f"expected {text!r} at {self.peek()[1]!r} in {self.text!r}")

    def read(self) -> tuple:
        node = self.compare()
        if self.peek()[0] != "end":
            raise OracleError(f"unexpected {self.peek()[1]!r} in {self.text!r}")
        return node

    def compare(self) -> tuple:
        left = self.sum()
        if operator := self.take(*COMPARISONS):
            return ("cmp", operator, left, self.sum())
        return left

    def sum(self) -> tuple:
        terms = [("+", self.chain())]
        while sign := self.take("+", "-"):
            terms.append((sign, self.chain()))
        return terms[0][1] if len(terms) == 1 else ("sum", tuple(terms))

    def chain(self) -> tuple:
        factors = [("*", self.unary())]
        while True:
            if operator := self.take(*PRODUCTS):
                factors.append((PRODUCTS[operator], self.unary()))
            elif self.starts_primary():
                if self.peek()[0] == "number" and self.tokens[self.place - 1][0] == "number":
                    raise OracleError(f"adjacent numbers in {self.text!r}")
                factors.append(("*", self.unary()))
            else:
                return factors[0][1] if len(factors) == 1 else ("chain", tuple(factors))

    def starts_primary(self) -> bool:
        kind, text, _ = self.peek()
        if kind == "op":
            return text in ("(", "[") or (text in ("|", "||") and text not in self.bars)
        return kind != "end"

    def unary(self) -> tuple:
        if self.take("-"):
            return ("neg", self.unary())
        if self.take("+"):
            return self.unary()
        return self.postfix()

    def postfix(self) -> tuple:
        if self.peek()[:2] == ("name", "e") and "e" not in self.names and self.peek(1)[1] == "^":
            self.place += 2
            return ("call", "exp", (self.exponent(),), None)
        node = self.primary()
        while True:
            kind, text, space = self.peek()
            if self.take("'"):
                node = ("T", node)
            elif self.take("^"):
                node = self.power(node)
            elif self.take(".^"):
                node = ("epow", node, self.exponent())
            elif (kind, text, space) == ("op", "[", False):
                self.place += 1
                rows, columns = self.index(), ("num", 1.0)
                if self.take(","):
                    columns = self.index()
                self.expect("]")
                node = ("index", node, rows, columns)
            else:
                return node

    def index(self) -> tuple | None:
        return None if self.take(":") else self.sum()

    def exponent(self) -> tuple:
        if self.take("{"):
            node = self.compare()
            self.expect("}")
            return node
        return ("neg", self.exponent()) if self.take("-") else self.primary()

    def power(self, base: tuple) -> tuple:
        braces = self.take("{")
        if self.take("T"):
            node = ("T", base)
        elif self.peek()[1] == "-" and self.peek(1)[1] == "T":
            self.place += 2
            node = ("invT", base)
        else:
            exponent = self.compare() if braces else self.exponent()
            node = ("inv", base) if exponent == ("neg", ("num", 1.0)) else ("pow", base, exponent)
        if braces:
            self.expect("}")
        return node

    def primary(self) -> tuple:
        kind, text, _ = self.peek()
        self.place += 1
        if kind == "number":
            return ("num", float(text))
        if kind == "ones":
            return ("const", "ones", (Reader(text, self.names, self.dims).read(),))
        if kind == "differential":
            return ("dname", text)
        if kind == "name":
            return self.name(text)
        if kind == "op" and text == "(":
            bars, self.bars = self.bars, []
            node = self.compare()
            self.bars = bars
            self.expect(")")
            return node
        if kind == "op" and text == "[":
            return self.block()
        if kind == "op" and text in ("|", "||"):
            return self.bar(text)
        raise OracleError(f"unexpected {text or 'end'!r} in {self.text!r}")

    def bar(self, bar: str) -> tuple:
        self.bars.append(bar)
        node = self.compare()
        self.bars.pop()
        self.expect(bar)
        if bar == "|":
            return ("call", "bars", (node,), None)
        return ("call", "norm", (node,), None)

    def block(self) -> tuple:
        bars, self.bars = self.bars, []
        rows, row = [], [self.compare()]
        while separator := self.take(",", ";"):
            if separator == ";":
                rows.append(tuple(row))
                row = []
            row.append(self.compare())
        self.bars = bars
        self.expect("]")
        return ("block", (*rows, tuple(row)))

    def name(self, text: str) -> tuple:
        called = self.peek()[:2] == ("op", "(")
        if called and self.is_function(text):
            self.place += 1
            bars, self.bars = self.bars, []
            args, axis = [], None
            while not self.take(")"):
                if self.peek()[1] == "axis" and self.peek(1)[1] == "=":
                    self.place += 2
                    axis = self.peek()[1]
                    self.place += 1
                else:
                    args.append(self.compare())
                if not self.take(","):
                    self.expect(")")
                    break
            self.bars = bars
            return self.call(text, tuple(args), axis)
        if text in ("I", "eye") and text not in self.names:
            return ("const", "I", ())
        if text == "pi" and text not in self.names:
            return ("const", "pi", ())
        return ("name", text)

    def is_function(self, text: str) -> bool:
        """`K`, `I`, `e` are functions only with that function's arguments, other words unless declared."""
        if text in ("K", "e", "I"):
            arguments = self.dimensions()
            return arguments == (1 if text == "I" else 2)
        if text == "d" and self.differentials and not self.peek()[2]:
            return True
        return text not in self.names and (text in FUNCTIONS | SIZED | FITTED or text == "d")

    def dimensions(self) -> int:
        """The number of arguments between the parentheses that open here, 0 if not all are dimensions."""
        depth, count, place = 0, 1, self.place
        while place < len(self.tokens):
            kind, text, _ = self.tokens[place]
            depth += (text == "(") - (text == ")")
            count += depth == 1 and text == ","
            if depth == 0:
                return count
            if kind not in ("op", "number") and text not in self.dims:
                return 0
            place += 1
        raise OracleError(f"a parenthesis is open in {self.text!r}")

    def call(self, name: str, args: tuple, axis: str | None) -> tuple:
        if name == "d":
            return ("d", args[0])
        if name in ("K", "e", "I", "ones", "zeros", "eye", "dup", "elim"):
            return ("const", "I" if name == "eye" else name, args)
        if name in FITTED:
            return ("const", "fit", ())
        return ("call", {"trace": "tr", "norm2": "norm"}.get(name, name), args, axis)


def parse(text: str, names: Iterable[str], dims: Iterable[str] = (), differentials: bool = False) -> tuple:
    """The tree of one expression, given the names of the symbols and of the dimensions.

    With `differentials`, `d(` without a space is the differential also where d is a symbol."""
    text = re.sub(r"(\|\|)_(?:1|\{1\})(?!\w)", "||¹", text)
    while "||¹" in text:
        end = text.index("||¹")
        start = text.rindex("||", 0, end)
        text = f"{text[:start]}norm1({text[start + 2 : end]}){text[end + 3 :]}"
    return Reader(text.replace("||_2", "||"), frozenset(names), frozenset(dims), differentials).read()


def split_definitions(text: str) -> tuple[list[tuple[str, str]], str]:
    """Definitions `R = …` that stand before the expression, and the expression."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter in ";\n" and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts = [part.strip() for part in [*parts, text[start:]] if part.strip()]
    definitions = []
    for part in parts[:-1]:
        name, _, body = part.partition("=")
        definitions.append((canonical(name.strip()), body.strip()))
    return definitions, parts[-1]


def parse_where(where: str) -> dict[str, tuple[tuple[str, str], frozenset[str]]]:
    """Declarations: name -> ((rows, columns), properties)."""
    declared = {}
    for part in re.split(r"[;\n]", where):
        if not part.strip():
            continue
        left, _, right = part.partition(":")
        right = right.strip().replace("×", " x ")
        shape = re.match(r"\(([^,()]+),([^,()]+)\)|(\S+)\s+x\s+(\S+)|(\S+)", right)
        if not shape:
            raise OracleError(f"cannot read the declaration {part!r}")
        dims = (shape[1], shape[2]) if shape[1] else (shape[3], shape[4]) if shape[3] else (shape[5], "1")
        dims = ("1", "1") if dims[0] == "scalar" else (dims[0].strip(), dims[1].strip())
        properties = frozenset(right[shape.end() :].split())
        for name in left.split(","):
            declared[canonical(name.strip())] = (dims, properties)
    return declared
