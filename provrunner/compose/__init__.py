"""compose: see the package's modules."""
