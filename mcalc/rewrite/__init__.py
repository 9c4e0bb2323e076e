"""Rules by name, and derivations made of them."""
