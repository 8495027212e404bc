"""What of the tests' helpers is a program of its own."""

collect_ignore = ["validate_crate.py"]  # runs where roc-validator is installed
