"""The session in each role, and how roles agree on what they compute."""
