"""Measurements and trials by force, each a command of its own."""
