"""zoo: see the package's modules."""
