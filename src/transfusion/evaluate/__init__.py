"""Scores, how far to trust them, what made them, and tables of them."""
