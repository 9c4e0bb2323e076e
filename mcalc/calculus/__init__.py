"""Differentials, adjoints, and the derivatives that follow from them."""
