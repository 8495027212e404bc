"""The order of events that a graph's statements imply, and what contradicts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provrunner.graph.query import Graph

__all__ = ["check_order"]

_Ints: TypeAlias = npt.NDArray[np.int64]
_UNKNOWN = int(np.iinfo(np.int64).min)


@dataclass
class _Events:
    """The events of a graph: start and end of activities, generation and invalidation, and usages.

    An entity's generations are one event, as C39 has it, and so are its invalidations; one that was
    not stated is an event of unknown time (inferences 7 and 8).

    Attributes:
        count: start and end of each node, or generation and invalidation, then each usage.
        times: microseconds, `_UNKNOWN` where none was stated.
        earlier, later: both ends of every `precedes`, as parts.
        strict: whether the two may not be one event, as parts.
    """

    graph: Graph
    count: int
    times: _Ints
    names: list[pa.Array]
    earlier: list[_Ints] = field(default_factory=list)
    later: list[_Ints] = field(default_factory=list)
    strict: list[npt.NDArray[np.bool_]] = field(default_factory=list)

    def precede(self, earlier: _Ints, later: _Ints, *, strict: bool = False) -> None:
        """State of pairs of events that one is no later than the other; -1 stands for none."""
        known = (earlier >= 0) & (later >= 0)
        self.earlier.append(earlier[known])
        self.later.append(later[known])
        self.strict.append(np.full(int(known.sum()), strict))

    def ends(self, rows: _Ints) -> tuple[_Ints, _Ints]:
        """Return the nodes at both ends of some edges; -1 for none."""
        links = self.graph.links
        return links.subjects[rows], links.objects[rows]

    def second(self, nodes: _Ints) -> _Ints:
        """Return the end, or invalidation, of nodes."""
        return np.where(nodes >= 0, nodes + self.graph.nodes.num_rows, -1)

    def name(self, event: int) -> str:
        """Return the id of the statement that an event is known by."""
        place = event
        for names in self.names:
            if place < len(names):
                return str(names[place].as_py())
            place -= len(names)
        raise IndexError(event)


def check_order(graph: Graph) -> tuple[list[tuple[str, str]], list[str]]:
    """Infer in which order a graph's events happened, and find what cannot be.

    The order is inferred through events that have no time, and through any number of statements:
    PROV-CONSTRAINTS C30 to C46, and inferences 7 to 9.

    Returns:
        Pairs of statements whose times contradict the order, and the statements by which an event
        would come before itself.
    """
    events = _read_events(graph)
    latest, source, circular = _propagate(events)
    wrong = np.flatnonzero((events.times != _UNKNOWN) & (latest > events.times))
    pairs = {(events.name(int(source[one])), events.name(int(one))) for one in wrong}
    return sorted(pairs), _circles(events, circular)


def _circles(events: _Events, circular: npt.NDArray[np.bool_]) -> list[str]:
    """Return what makes a circle wrong: events on one must be simultaneous, and may not be."""
    earlier, later = np.concatenate(events.earlier), np.concatenate(events.later)
    inside = circular[earlier] & circular[later]
    strict = inside & np.concatenate(events.strict)
    after: dict[int, list[int]] = {}
    for one, other in zip(earlier[inside].tolist(), later[inside].tolist(), strict=True):
        after.setdefault(one, []).append(other)
    ends = zip(earlier[strict].tolist(), later[strict].tolist(), strict=True)
    return sorted({events.name(two) for one, two in ends if _leads(after, two, one)})


def _leads(after: Mapping[int, list[int]], begin: int, end: int) -> bool:
    seen, waiting = {begin}, [begin]
    while waiting:
        one = waiting.pop()
        if one == end:
            return True
        fresh = [other for other in after.get(one, ()) if other not in seen]
        seen.update(fresh)
        waiting += fresh
    return False


def _propagate(events: _Events) -> tuple[_Ints, _Ints, npt.NDArray[np.bool_]]:
    """Carry times from earlier to later events, level by level.

    Returns:
        The latest time among all that precedes each event, the event it is of, and which events lie
        on or after a circle, where the order is not to be had.
    """
    earlier, later = np.concatenate(events.earlier), np.concatenate(events.later)
    order = np.argsort(earlier, kind="stable")
    targets = later[order]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(earlier, minlength=events.count))])
    waiting = np.bincount(later, minlength=events.count)
    latest = np.full(events.count, _UNKNOWN, np.int64)
    source = np.arange(events.count)
    left = np.ones(events.count, bool)
    level = np.flatnonzero(waiting == 0)
    while level.size:
        left[level] = False
        own = events.times[level] >= latest[level]
        time = np.where(own, events.times[level], latest[level])
        origin = np.where(own, level, source[level])
        counts = bounds[level + 1] - bounds[level]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        reached = targets[np.repeat(bounds[level], counts) + offsets]
        carried, of = np.repeat(time, counts), np.repeat(origin, counts)
        np.maximum.at(latest, reached, carried)
        given = latest[reached] == carried
        source[reached[given]] = of[given]
        np.subtract.at(waiting, reached, 1)
        level = np.unique(reached[waiting[reached] == 0])
    return latest, source, left


def _read_events(graph: Graph) -> _Events:
    """Lay out the events of a graph and what the statements say of their order."""
    nodes, edges = graph.nodes, graph.edges
    count, used = nodes.num_rows, _chosen(edges, "used")
    ids = nodes["id"].combine_chunks()
    usages = edges["id"].combine_chunks().take(used)
    times = np.concatenate(
        [_times(nodes["start"]), _times(nodes["end"]), _times(edges["time"])[used]]
    )
    events = _Events(graph, 2 * count + len(used), times, [ids, ids, usages])
    _order_usages(events, used)
    for relation, offset in (("was_generated_by", 0), ("was_invalidated_by", count)):
        _order_making(events, _chosen(edges, relation), offset)
    _order_elements(events)
    _order_derivations(events, usages)
    return events


def _order_usages(events: _Events, used: _Ints) -> None:
    """C33, C37, C38: within the activity, after the generation, before the invalidation."""
    usage = 2 * events.graph.nodes.num_rows + np.arange(len(used))
    activity, entity = events.ends(used)
    events.precede(activity, usage)
    events.precede(usage, events.second(activity))
    events.precede(entity, usage)
    events.precede(usage, events.second(entity))


def _order_making(events: _Events, rows: _Ints, offset: int) -> None:
    """C34, and its like for invalidation: within the activity; the stated time is the event's."""
    entity, activity = events.ends(rows)
    event = np.where(entity >= 0, entity + offset, -1)
    events.precede(activity, event)
    if offset == 0:
        events.precede(event, events.second(activity))
    known = event >= 0
    times = _times(events.graph.edges["time"])[rows]
    np.maximum.at(events.times, event[known], times[known])


def _order_elements(events: _Events) -> None:
    """C30, C36, C31 with inference 9, C35, C45, C46: of activities, and of the same thing."""
    every, edges = np.arange(events.graph.nodes.num_rows), events.graph.edges
    events.precede(every, events.second(every))
    started, starter = events.ends(_chosen(edges, "was_started_by"))
    events.precede(starter, started)
    informed, informant = events.ends(_chosen(edges, "was_informed_by"))
    events.precede(informant, events.second(informed))
    special, general = events.ends(_chosen(edges, "specialization_of"))
    events.precede(general, special)
    events.precede(events.second(special), events.second(general))


def _order_derivations(events: _Events, usages: pa.Array) -> None:
    """C41 and C42: a source is generated, and was used, before what derives from it."""
    rows = _chosen(events.graph.edges, "was_derived_from")
    derived, source = events.ends(rows)
    events.precede(source, derived, strict=True)
    named = events.graph.edges["usage"].combine_chunks().take(pa.array(rows))
    found = pc.index_in(named, value_set=usages).fill_null(-1).to_numpy(zero_copy_only=False)
    first = 2 * events.graph.nodes.num_rows
    usage = np.where(found >= 0, found.astype(np.int64) + first, -1)
    events.precede(usage, derived)


def _chosen(edges: pa.Table, relation: str) -> _Ints:
    rows: _Ints = np.flatnonzero(pc.equal(edges["relation"], relation).to_numpy())
    return rows


def _times(column: pa.ChunkedArray) -> _Ints:
    whole = column.cast(pa.int64()).fill_null(_UNKNOWN)
    times: _Ints = whole.to_numpy()
    return times.copy()
