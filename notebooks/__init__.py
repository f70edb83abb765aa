"""The gallery, and the commands that open it and do without it: ``python -m notebooks --help``."""
