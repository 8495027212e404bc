"""log: see the package's modules."""
