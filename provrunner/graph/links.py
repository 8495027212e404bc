"""The edges of a graph as positions of its nodes, ready for search in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Links"]

_Positions: TypeAlias = npt.NDArray[np.int64]


class Links:
    """Where both ends of every edge stand among the nodes; made once a graph, in linear time.

    Args:
        nodes: `schema.TABLES["nodes"]`.
        edges: `schema.TABLES["edges"]`; an end that is no node leads nowhere.

    Attributes:
        subjects: position of the first end of every edge, -1 where it is no node.
        objects: of the second end.
    """

    def __init__(self, nodes: pa.Table, edges: pa.Table) -> None:
        self._ids, self._edges = nodes["id"].combine_chunks(), edges
        self._count = len(self._ids)
        self.subjects, self.objects = self.of("subject"), self.of("object")
        planned = pc.is_valid(edges["plan"]).to_numpy().nonzero()[0]
        self._planned, self._plans = self.subjects[planned], self.of("plan")[planned]

    def of(self, column: str) -> _Positions:
        """Return where what a column of the edges names stands among the nodes, -1 if nowhere."""
        found = pc.index_in(self._edges[column], value_set=self._ids).fill_null(-1)
        positions: _Positions = found.to_numpy().astype(np.int64)
        return positions

    def depths(self, begin: Sequence[int], direction: str) -> npt.NDArray[np.int32]:
        """Return how many steps each node is from some of them, -1 if it is not reached.

        The search is breadth first; cycles do no harm.

        Args:
            begin: positions of nodes.
            direction: `up`, from subjects to objects and from activities to their plans, or `down`.
        """
        targets, bounds = self._up if direction == "up" else self._down
        depths = np.full(self._count, -1, np.int32)
        frontier = np.array(begin, np.int64)
        depth = 0
        while frontier.size:
            depths[frontier] = depth
            depth += 1
            starts, counts = bounds[frontier], bounds[frontier + 1] - bounds[frontier]
            offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            reached = targets[np.repeat(starts, counts) + offsets]
            frontier = np.unique(reached[depths[reached] < 0])
        return depths

    def between(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Tell of each edge whether both of its ends are among some nodes, one boolean a node."""
        known = (self.subjects >= 0) & (self.objects >= 0)
        inside: npt.NDArray[np.bool_] = known & chosen[self.subjects] & chosen[self.objects]
        return inside

    @cached_property
    def _up(self) -> tuple[_Positions, _Positions]:
        return self._steps(
            np.concatenate([self.subjects, self._planned]),
            np.concatenate([self.objects, self._plans]),
        )

    @cached_property
    def _down(self) -> tuple[_Positions, _Positions]:
        return self._steps(
            np.concatenate([self.objects, self._plans]),
            np.concatenate([self.subjects, self._planned]),
        )

    def _steps(self, sources: _Positions, targets: _Positions) -> tuple[_Positions, _Positions]:
        """Return all targets in the order of their sources, and where each source's begin."""
        known = (sources >= 0) & (targets >= 0)
        sources, targets = sources[known], targets[known]
        order = np.argsort(sources, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=self._count))])
        return targets[order], bounds
