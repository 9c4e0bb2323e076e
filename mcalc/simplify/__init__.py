"""The normal form, factoring, and writing an answer as short as a textbook."""
