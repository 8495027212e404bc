"""Make the pictures of recipes/gallery and the README: `python -m benchmarks.gallery [FOLDER]`.

Runs the gallery's sweeps and `lr_grid` below FOLDER, unless they lie there already, and photographs
their reports with a Chromium: 1280 pixels wide and 390, each in docs/gallery/, at most 150 kB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.browser import Browser
from benchmarks.small_png import write_small_png
from provrunner.report import open_sweep

_ROOT = Path(__file__).parents[1]
_RECIPE = _ROOT / "recipes" / "gallery"
_PICTURES = _ROOT / "docs" / "gallery"
SHOWN = {
    "lr_dominates": ("importance",),
    "nothing_matters": ("importance",),
    "too_few": ("design", "best"),
    "interaction": ("hyperparameters",),
    "divergence": ("failures",),
    "which_model": ("hyperparameters",),
    "latin_hypercube": ("hyperparameters",),
}
"""The section of each report that is photographed below its verdict."""

_MOST_BYTES = 150_000
_SIZES = {"": (1280, 1900), "-phone": (390, 2400)}


def main() -> None:
    """Run what is missing and photograph all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where the sweeps lie, or are to lie")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        place = (words.folder or Path(folder)).resolve()
        _PICTURES.mkdir(exist_ok=True)
        for name, sections in SHOWN.items():
            page = _report(name, place)
            for ending, size in _SIZES.items():
                path = _PICTURES / f"{name}{ending}.png"
                print(_shoot(browser, page, ("verdict", *sections), size, path))
        sections = ("verdict", "importance", "hyperparameters")
        path = _ROOT / "docs" / "report.png"
        print(
            _shoot(
                browser, _report("lr_grid", place), sections, (1280, 2100), path, most_bytes=250_000
            )
        )


def _report(name: str, place: Path) -> Path:
    """Write the report of a sweep anew; run the sweep first where there is none."""
    if not (place / name).is_dir():
        words = [sys.executable, "-m", "provrunner", f"+sweep={name}", f"output={place}"]
        # a sweep in which runs diverge ends with 1
        subprocess.run(words, cwd=_RECIPE, check=False)
    sweep = open_sweep(place / name)
    sweep.write()
    return sweep.folder / "report.html"


def _shoot(
    browser: Browser,
    page: Path,
    sections: tuple[str, ...],
    size: tuple[int, int],
    path: Path,
    *,
    most_bytes: int = _MOST_BYTES,
) -> str:
    """Photograph some sections of a page, as much of them as fits into the bytes."""
    width, height = size
    browser.look(width, 900)
    browser.open(page)
    browser.run(
        f"""for (const one of document.querySelectorAll("section"))
        one.hidden = !{list(sections)!r}.includes(one.id);
        document.querySelector("footer").hidden = true;"""
    )
    height = min(height, int(browser.run("document.body.scrollHeight")))
    browser.shoot(path, {"x": 0, "y": 0, "width": width, "height": height})
    pixels = browser.read_pixels(path)
    write_small_png(path, pixels)
    while path.stat().st_size > most_bytes:
        height = height * 19 // 20
        write_small_png(path, pixels[:height])
    return f"{path}  {width} x {height}  {path.stat().st_size // 1000} kB"


if __name__ == "__main__":
    main()
