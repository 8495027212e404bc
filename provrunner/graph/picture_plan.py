"""Draw the plan of a sweep: its steps, what flows between them, and the settings that enter."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provrunner.graph.picture import Box, render, type_words
from provrunner.graph.query import Graph

__all__ = ["draw_plan"]

_VIEWS = ("process", "data")
_MANY = 4

_Arrows = dict[tuple[str, str], Counter[str]]
_Nodes = dict[str, dict[str, Any]]


def draw_plan(graph: Graph, view: str = "process", *, format_: str = "svg") -> bytes:
    """Draw the steps that every run of a sweep takes; arrows point to what comes next.

    Args:
        graph: of a sweep, or of what is planned of it.
        view: `process` has a box a step, with what flows between them on the arrows, and the
            settings that enter; `data` has one a kind of data, with the steps on the arrows.
        format_: `svg` or `png`.

    Raises:
        ValueError: another view.
    """
    if view not in _VIEWS:
        raise ValueError(f"view is {view!r}; one of {', '.join(_VIEWS)}")
    steps, ports = _nodes(graph, "pr:Step"), _nodes(graph, "pr:Port")
    draw = _process if view == "process" else _data
    boxes, arrows = draw(steps, ports)
    if view == "process":
        for step in steps:
            _add_settings(graph, step, boxes, arrows)
    return render(boxes, arrows, format_=format_)


def _nodes(graph: Graph, type_: str) -> _Nodes:
    """Return the attributes of the nodes of a type, by id."""
    rows = graph.nodes.filter(pc.equal(graph.nodes["type"], type_))
    return {
        id_: json.loads(text)
        for id_, text in zip(rows["id"].to_pylist(), rows["attributes"].to_pylist(), strict=True)
    }


def _flows(steps: _Nodes, ports: _Nodes) -> Iterator[tuple[str, str, str]]:
    """Give each output port that a step takes from, the step that gives it, and the taker."""
    for taker, step in steps.items():
        for port in _ports(step, ports, "in"):
            source = _id(ports[port]["pr:from"])
            giver = next((id_ for id_, one in steps.items() if source in _ports(one, ports)), None)
            if giver is not None:
                yield source, giver, taker


def _ports(step: Mapping[str, Any], ports: _Nodes, direction: str = "out") -> list[str]:
    stated = step.get("pr:port", [])
    ids = [_id(one) for one in (stated if isinstance(stated, list) else [stated])]
    return [id_ for id_ in ids if ports[id_]["pr:direction"] == direction]


def _id(reference: Mapping[str, str]) -> str:
    return reference["$"].removeprefix("art:")


def _process(steps: _Nodes, ports: _Nodes) -> tuple[dict[str, Box], _Arrows]:
    boxes = {
        id_: Box("activity", step["pr:name"], step["pr:does"], 1) for id_, step in steps.items()
    }
    arrows: _Arrows = {}
    for source, giver, taker in _flows(steps, ports):
        arrows.setdefault((giver, taker), Counter())[ports[source]["pr:name"]] += 1
    return boxes, arrows


def _data(steps: _Nodes, ports: _Nodes) -> tuple[dict[str, Box], _Arrows]:
    boxes = {
        port: Box("entity", ports[port]["pr:name"], _giver(step, ports[port]), 1)
        for step in steps.values()
        for port in _ports(step, ports)
    }
    arrows: _Arrows = {}
    for source, _, taker in _flows(steps, ports):
        for target in _ports(steps[taker], ports):
            arrows.setdefault((source, target), Counter())[steps[taker]["pr:name"]] += 1
    return boxes, arrows


def _giver(step: Mapping[str, Any], port: Mapping[str, Any]) -> str:
    return f"{type_words(port['pr:dataType']['$'])} of {step['pr:name']}"


def _add_settings(graph: Graph, step: str, boxes: dict[str, Box], arrows: _Arrows) -> None:
    """Add the settings that enter a step: the swept ones by name, the others by their number."""
    members = graph.edges.filter(
        pc.and_(
            pc.equal(graph.edges["relation"], "had_member"), pc.equal(graph.edges["subject"], step)
        )
    )["object"].combine_chunks()
    rows = graph.nodes.filter(pc.is_in(graph.nodes["id"], value_set=members))
    swept = pc.equal(rows["type"], "pr:Hyperparameter")
    for key, kind, found in (
        ("swept", "swept", rows.filter(swept)),
        ("set", "setting", rows.filter(pc.invert(swept))),
    ):
        if found.num_rows:
            boxes[f"{step} {key}"] = Box("entity", _label(found), kind, found.num_rows)
            arrows[f"{step} {key}", step] = Counter()


def _label(rows: pa.Table) -> str:
    names = sorted(json.loads(text)["pr:name"] for text in rows["attributes"].to_pylist())
    return ", ".join(names[:_MANY]) + (" …" if len(names) > _MANY else "")
