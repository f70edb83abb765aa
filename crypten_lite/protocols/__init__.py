"""Protocols: one a file. Each says what it opens, in how many rounds, and what the dealer deals."""
