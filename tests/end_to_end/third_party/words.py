"""A text for Lightning's language models, where they look for one."""

from pathlib import Path


def write() -> None:
    """Write two thousand words of fifty."""
    text = " ".join(f"word{number % 50}" for number in range(2000))
    Path("data").mkdir(exist_ok=True)
    Path("data/wikitext-2.txt").write_text(text + "\n")
