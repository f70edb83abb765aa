"""What a command refuses, in one line for its user."""


class CommandError(Exception):
    """What was asked cannot be done: the message says what was asked, what there is, and what to do."""
