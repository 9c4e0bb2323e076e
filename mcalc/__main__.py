"""`python -m mcalc` is `mcalc`."""

from mcalc.cli import main

main()
