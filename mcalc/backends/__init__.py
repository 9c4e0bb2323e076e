"""Backends: from a program to text in another language."""
