"""What a derivation looks like on paper: text, LaTeX, Markdown, JSON, Python. Formats know no pass."""
