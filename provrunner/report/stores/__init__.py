"""Runs that other tools stored, as one table."""

from provrunner.report.stores.find import TOOLS, read_store
from provrunner.report.stores.store import UNKNOWN, Course, Store, StoredRun

__all__ = ["TOOLS", "UNKNOWN", "Course", "Store", "StoredRun", "read_store"]
