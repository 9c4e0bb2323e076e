"""NumPy modules that mcalc has written."""
