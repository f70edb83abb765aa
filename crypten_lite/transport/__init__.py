"""How the parties of a session reach each other."""
