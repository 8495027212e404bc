"""capture: see the package's modules."""
