"""Make the pictures of docs/provenance.md: `python -m benchmarks.pictures SWEEP`.

The drawn ones are those of `provrunner export --to svg`; those of the report's graph are taken from
a headless Chromium, which must be on the path.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from provrunner.report import export_graph, open_sweep

_FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
_ALONE = """
section:not(#provenance),header,nav,footer,figure,.skip{display:none!important}
main{padding:0}section{margin:0!important;border:0!important}
"""
_CHOOSE = """
const box = (words) => [...document.querySelectorAll("#graph-picture .box")]
  .find((one) => one.getAttribute("aria-label").startsWith(words));
box("digits").dispatchEvent(new MouseEvent("click", {bubbles: true}));
"""
_CHROMIUM = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--hide-scrollbars", "--window-size=1040,760"),
)


def main() -> None:
    """Draw a sweep to docs/pictures/."""
    sweep = open_sweep(sys.argv[1])
    for path in export_graph(sweep, "svg", out=_FOLDER):
        print(path)
    sweep.write()
    page = (sweep.folder / "report.html").read_text("utf-8")
    for name, script in (("opened", ""), ("down", _CHOOSE)):
        print(_shoot(page, script, _FOLDER / f"{name}.png"))


def _shoot(page: str, script: str, path: Path) -> Path:
    """Photograph the page's graph, with its policy lifted for the style and script given here."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    page = page.replace("</head>", f"<style>{_ALONE}</style></head>")
    page = page.replace("</body>", f"<script>{script}</script></body>")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "page.html"
        place.write_text(page, "utf-8")
        options = [f"--user-data-dir={folder}/profile", f"--screenshot={path}", place.as_uri()]
        subprocess.run([*_CHROMIUM, *options], check=True, capture_output=True)
    return path


if __name__ == "__main__":
    main()
