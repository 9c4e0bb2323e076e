"""The lowered form of expressions: arrays, programs of definitions, and the passes between them."""

from mcalc.program import lower_elementwise, lower_matrices, lower_products, lower_reductions  # noqa: F401
from mcalc.program.ir import Array, Definition, Program, check
from mcalc.program.optimise import program_of

__all__ = ["Array", "Definition", "Program", "check", "program_of"]
