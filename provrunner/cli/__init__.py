"""The command line."""

from provrunner.cli.main import main

__all__ = ["main"]
