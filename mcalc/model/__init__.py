"""Models: programs of matrix definitions and loops that end in a scalar loss, and their adjoint programs."""
