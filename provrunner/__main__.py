"""`python -m provrunner`."""

from provrunner.cli import main

if __name__ == "__main__":
    main()
