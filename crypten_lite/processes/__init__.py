"""Roles in processes of their own: configurations, commands, and all of them on one machine."""
