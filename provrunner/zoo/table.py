"""A table of the user's own, from a CSV or Parquet file."""

from provrunner.zoo.data import ArrayData


class Table(ArrayData):
    """."""
