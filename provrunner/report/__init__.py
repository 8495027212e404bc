"""report: see the package's modules."""
