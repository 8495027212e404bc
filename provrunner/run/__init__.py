"""run: see the package's modules."""
