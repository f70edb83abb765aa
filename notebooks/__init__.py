"""The notebooks, and the commands that open and run them: ``python -m notebooks``."""
