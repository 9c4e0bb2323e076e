"""Proofs modulo primes, and checks in floating point."""
