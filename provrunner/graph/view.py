"""A sweep's whole graph, folded small enough to open in a page: what runs share, and each run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from provrunner.graph.picture import RELATION_WORDS, type_words
from provrunner.graph.query import Graph

__all__ = ["build_view"]

_COLUMNS: Mapping[str, int] = {
    **dict.fromkeys(("prov:Person", "prov:SoftwareAgent", "pr:SweepConfig", "pr:Commit"), 0),
    **dict.fromkeys(("pr:Patch", "pr:SourceFile", "pr:Dataset", "pr:Hyperparameter"), 0),
    "pr:Extension": 0,
    **dict.fromkeys(("pr:Sweep", "pr:SourceCode", "pr:Environment", "pr:Hardware", "pr:Step"), 1),
    **dict.fromkeys(("pr:Setting", "pr:Preparation", "pr:Split", "pr:Transform"), 1),
    **dict.fromkeys(("pr:OriginalRun", "pr:Import", "pr:StoredRun"), 1),
    "pr:RunStore": 0,
    **dict.fromkeys(("pr:RunConfig", "pr:Model", "pr:Run", "mls:HyperParameterSetting"), 2),
    **dict.fromkeys(("pr:Attempt", "pr:Fit", "pr:TrainEpoch", "pr:Validation", "pr:Test"), 3),
    **dict.fromkeys(("pr:ModelState", "pr:Checkpoint", "pr:Adaptation"), 4),
    **dict.fromkeys(("pr:Metric", "pr:RunResult"), 5),
    **dict.fromkeys(("pr:SweepResults", "pr:SensitivityAnalysis", "pr:SensitivityResult"), 6),
    **dict.fromkeys(("pr:Summary", "pr:Note"), 6),
}
"""Where a type stands from left, the origin, to right, what came of it."""

_OTHER_COLUMN = 3
_HIDDEN = frozenset({"pr:Content", "pr:Port"})
_FOLDED = frozenset({"pr:Setting", "pr:SourceFile", "pr:Step", "pr:Preparation"})
_MOST_OF_A_TYPE = 12
_MOST_MEMBERS = 300
_SETTING = "mls:HyperParameterSetting"

Row: TypeAlias = dict[str, Any]
_Key: TypeAlias = tuple[int, str]


@dataclass
class _Strings:
    """Texts by position, each once."""

    texts: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def __call__(self, text: str) -> int:
        if text not in self.places:
            self.places[text] = len(self.texts)
            self.texts.append(text)
        return self.places[text]


def build_view(graph: Graph) -> dict[str, object]:
    """Fold a sweep's graph for a page that opens it run by run.

    What is many of one kind in a run is one box, as in `draw_run`. Runs that have the same boxes
    and arrows share a shape, and what their labels have in common; texts stand once in `strings`,
    and other fields are positions there. Values of hyperparameters have six digits.

    Returns:
        JSON values. `shared` lists the boxes beside the runs: kind, type, label, count, column, and
        the labels of what is folded in it; `shared_arrows` from box to box with a relation.
        `shapes` list a run's boxes (kind, type, column, begin and end of the label) and arrows; an
        end of an arrow below 0 is the shared box -1 - end. `contents` list counts and files by box,
        the file -1 where there is none. `runs` list number, id, shape, contents, and for each box
        what stands between begin and end of its label: a position, or a text that is nowhere else.
    """
    rows = [row for row in _rows(graph.nodes) if row["type"] not in _HIDDEN]
    boxes: dict[_Key, list[Row]] = {}
    place: dict[str, _Key] = {}
    many = Counter(row["type"] for row in rows if row["run"] is None)
    for row in rows:
        key = _key(row, many)
        place[row["id"]] = key
        boxes.setdefault(key, []).append(row)
    return _Folded(boxes, _arrows(graph.edges, place)).view()


def _rows(nodes: pa.Table) -> Iterable[Row]:
    columns = ["id", "kind", "type", "label", "run", "attributes"]
    for batch in nodes.select(columns).sort_by("id").to_batches(max_chunksize=1 << 14):
        yield from batch.to_pylist()


def _key(row: Row, many: Counter[str]) -> _Key:
    """Return the run that a node belongs to, -1 for none, and what it is called in every run."""
    type_, run = str(row["type"]), row["run"]
    if run is None:
        type_ = "pr:Setting" if type_ == _SETTING else type_
        folded = type_ in _FOLDED or many[row["type"]] > _MOST_OF_A_TYPE
        return -1, type_ if folded else str(row["id"])
    if type_ in {"pr:Metric", "pr:Adaptation"}:
        return run, f"{type_} {json.loads(row['attributes'])['pr:name']}"
    if type_ == _SETTING:
        return run, str(row["id"]).partition(".")[2]
    return run, type_


def _arrows(edges: pa.Table, place: Mapping[str, _Key]) -> dict[int, set[tuple[_Key, _Key, str]]]:
    """Return the arrows between boxes by the run that they are of, -1 for none.

    An arrow between two runs is in neither: a picture of one run has no box for its end.
    """
    arrows: dict[int, set[tuple[_Key, _Key, str]]] = {}
    columns = (edges[name].to_pylist() for name in ("subject", "object", "relation"))
    for subject, target, relation in zip(*columns, strict=True):
        begin, end = place.get(subject), place.get(target)
        if begin is None or end is None or begin == end:
            continue
        if begin[0] == end[0] or -1 in (begin[0], end[0]):
            arrows.setdefault(max(begin[0], end[0]), set()).add((begin, end, relation))
    return arrows


class _Folded:
    """Boxes and arrows on their way to a view."""

    def __init__(
        self,
        boxes: Mapping[_Key, list[Row]],
        arrows: Mapping[int, set[tuple[_Key, _Key, str]]],
    ) -> None:
        self.boxes, self.arrows, self.text = boxes, arrows, _Strings()
        self.keys: dict[int, list[str]] = {}
        for run, key in sorted(boxes):
            self.keys.setdefault(run, []).append(key)
        self.shared = {key: place for place, key in enumerate(self.keys.get(-1, ()))}

    def view(self) -> dict[str, object]:
        shapes: dict[tuple[Any, ...], list[int]] = {}
        for run in sorted(self.keys.keys() - {-1}):
            shapes.setdefault(self._shape(run), []).append(run)
        written: list[dict[str, object]] = []
        rows: dict[int, tuple[int, list[str]]] = {}
        for (boxes, arrows), runs in shapes.items():
            labels = [[_label(found) for found in self._found(run)] for run in runs]
            ends = [_common_ends(alike) for alike in zip(*labels, strict=True)]
            looks = [[*box, *map(self.text, own)] for box, own in zip(boxes, ends, strict=True)]
            for run, told in zip(runs, labels, strict=True):
                rows[run] = len(written), list(map(_between, told, ends))
            written.append({"boxes": looks, "arrows": arrows})
        contents: dict[tuple[Any, ...], int] = {}
        return {
            "shared": [self._shared(key) for key in self.shared],
            "shared_arrows": self._ends(-1, self.shared),
            "shapes": written,
            "runs": self._runs(rows, contents),
            "contents": list(contents),
            "strings": self.text.texts,
        }

    def _runs(
        self, rows: Mapping[int, tuple[int, list[str]]], contents: dict[tuple[Any, ...], int]
    ) -> list[list[Any]]:
        """Write the runs by number, and number what they hold."""
        times = Counter(text for _, between in rows.values() for text in between)
        return [
            [
                run,
                self.text(self._id(run)),
                shape,
                contents.setdefault(self._contents(run), len(contents)),
                [text if times[text] == 1 else self.text(text) for text in between],
            ]
            for run, (shape, between) in sorted(rows.items())
        ]

    def _found(self, run: int) -> list[list[Row]]:
        return [self.boxes[run, key] for key in self.keys[run]]

    def _shape(self, run: int) -> tuple[Any, ...]:
        keys = self.keys[run]
        boxes = tuple(self._look(self.boxes[run, key][0]) for key in keys)
        return boxes, self._ends(run, {key: place for place, key in enumerate(keys)})

    def _look(self, row: Row) -> tuple[int, int, int]:
        type_ = str(row["type"])
        words = "hyperparameter" if type_ == _SETTING else type_words(type_)
        if type_ == _SETTING and row["run"] is None:
            type_, words = "pr:Setting", "setting"
        column = _COLUMNS.get(type_, _OTHER_COLUMN)
        return self.text(row["kind"]), self.text(words), column

    def _ends(self, run: int, places: Mapping[str, int]) -> tuple[tuple[int, int, int], ...]:
        def place(key: _Key) -> int:
            return places[key[1]] if key[0] == run else -1 - self.shared[key[1]]

        return tuple(
            sorted(
                (place(begin), place(end), self.text(RELATION_WORDS.get(relation, relation)))
                for begin, end, relation in sorted(self.arrows.get(run, ()))
            )
        )

    def _contents(self, run: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        found = self._found(run)
        files = (_file(rows) for rows in found)
        places = tuple(self.text(file) if file else -1 for file in files)
        return tuple(len(rows) for rows in found), places

    def _id(self, run: int) -> str:
        found = (rows[0] for rows in self._found(run) if rows[0]["type"] == "pr:Run")
        return next((str(_told(row)["pr:runId"]) for row in found), "")

    def _shared(self, key: str) -> list[Any]:
        rows = self.boxes[-1, key]
        members = sorted(row["label"] for row in rows)[:_MOST_MEMBERS] if len(rows) > 1 else []
        kind, type_, column = self._look(rows[0])
        label = self.text(_label(rows))
        return [kind, type_, label, len(rows), column, [self.text(one) for one in members]]


def _told(row: Row) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = json.loads(row["attributes"])
    return attributes


def _label(rows: Sequence[Row]) -> str:
    """Call one node by its label; values of one metric by the best, or the last, of them."""
    if len(rows) == 1:
        label = str(rows[0]["label"])
        return _shortened(label) if rows[0]["type"] == _SETTING else label
    if rows[0]["type"] != "pr:Metric":
        return ""
    best = next((row for row in rows if '"pr:best":true' in row["attributes"]), None)
    last = max(rows, key=lambda row: _told(row).get("pr:epoch") or 0)
    return f"{best['label']} (best)" if best else f"{last['label']} (last)"


def _shortened(label: str) -> str:
    """Write a hyperparameter's value with six digits, if it has more and is no whole number.

    Example:
        >>> _shortened("lr = 0.0011150298626945475"), _shortened("steps = 12345678901234")
        ('lr = 0.00111503', 'steps = 12345678901234')
    """
    name, sign, value = label.rpartition(" = ")
    try:
        number = float(value)
    except ValueError:
        return label
    if number.is_integer():
        return label
    short = f"{number:.6g}"
    return f"{name}{sign}{short}" if len(short) < len(value) else label


def _common_ends(labels: Sequence[str]) -> tuple[str, str]:
    """Return what some labels begin with and what they end with, without overlap.

    Example:
        >>> _common_ends(["run 1 finished", "run 12 finished"])
        ('run 1', ' finished')
    """
    begin = _common_begin(labels)
    rests = [label[len(begin) :][::-1] for label in labels]
    return begin, _common_begin(rests)[::-1]


def _between(label: str, ends: tuple[str, str]) -> str:
    begin, end = ends
    return label[len(begin) : len(label) - len(end)]


def _common_begin(texts: Sequence[str]) -> str:
    # what the first and the last in order share, all share
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((place for place, (a, b) in pairs if a != b), len(first))]


def _file(rows: Sequence[Row]) -> str:
    """Return the file of the run's folder that tells more of a box."""
    type_ = rows[0]["type"]
    if type_ in {"pr:RunConfig", _SETTING}:
        return "config.yaml"
    if type_ == "pr:Metric":
        return "log/metrics.arrow"
    if type_ != "pr:Checkpoint":
        return ""
    last = max(rows, key=lambda row: _told(row).get("pr:step") or 0)
    return str(_told(last).get("pr:path") or "")
