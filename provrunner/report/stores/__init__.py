"""Runs that other tools stored, as one table."""

from provrunner.report.stores.read import read_store
from provrunner.report.stores.store import Store

__all__ = ["Store", "read_store"]
