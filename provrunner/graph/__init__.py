"""graph: see the package's modules."""
