"""The charts of a sweep as files, for papers and slides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from provrunner.errors import LogError

if TYPE_CHECKING:
    from provrunner.report.results import Sweep

__all__ = ["write_charts"]


def write_charts(sweep: Sweep, folder: Path | str | None = None) -> tuple[Path, ...]:
    """Write every chart of a sweep's report as SVG and PNG, and its summary as a LaTeX table.

    Args:
        sweep: an open sweep.
        folder: where to; None is `charts/` in the sweep's folder.

    Returns:
        The paths written: `importance.svg`, `importance.png` and so on, then `summary.tex`.

    Raises:
        LogError: a file cannot be written.
    """
    from provrunner.report.files import holding, replace_file

    target = sweep.folder / "charts" if folder is None else Path(folder)
    written = []
    for name, content in _contents(sweep):
        path = target / name
        try:
            replace_file(path, holding(content))
        except OSError as error:
            raise LogError(f"cannot write {path}: {error.strerror or error}") from error
        written.append(path)
    return tuple(written)


def _contents(sweep: Sweep) -> Iterator[tuple[str, bytes]]:
    from provrunner.report.figures import list_pictures
    from provrunner.report.frame import WIDE, render_png, render_svg
    from provrunner.report.latex import summary_latex
    from provrunner.report.wording import with_ordered_values

    summary = with_ordered_values(sweep.sensitivity().to_dict())
    for picture in list_pictures(summary, sweep.plan, sweep.runs, sweep.table("epochs")):
        chart = picture.draw(WIDE)
        if chart is not None:
            yield f"{picture.key}.svg", render_svg(chart).encode()
            yield f"{picture.key}.png", render_png(chart)
    yield "summary.tex", summary_latex(summary).encode("utf-8", "backslashreplace")
