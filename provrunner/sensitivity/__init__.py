"""sensitivity: see the package's modules."""
