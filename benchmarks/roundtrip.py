"""Check a whole sweep's provenance: `python -m benchmarks.roundtrip [SWEEP ...]`.

Without a sweep, one of 300 runs of 10 epochs is generated. Every serialisation is read back with
the prov library and compared with PROV-JSON; the graph is built twice; PROV's rules are checked.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.many_runs import make_plan, make_tables
from provrunner.graph import Graph, build_graph, check_graph
from provrunner.ids import file_digest
from provrunner.report import open_sweep
from provrunner.report.export import graph_writers
from tests.support.prov_documents import read_document

_RUNS, _EPOCHS = 300, 10


def main() -> None:
    """Check the sweeps that the command line names; exit with 1 if anything differs."""
    whole = [_check(name, lambda name=name: open_sweep(name).graph()) for name in sys.argv[1:]]
    if not whole:
        plan = make_plan(_RUNS)
        tables = make_tables(plan, epochs=_EPOCHS)
        whole = [_check(f"{_RUNS} generated runs", lambda: build_graph(tables, plan))]
    sys.exit(0 if all(whole) else 1)


def _check(name: str, build: Callable[[], Graph]) -> bool:
    graph, again = build(), build()
    broken = check_graph(graph)
    statements = graph.nodes.num_rows + graph.edges.num_rows
    print(f"{name}: {statements} statements, {len(broken)} of them against PROV's rules")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep"
        graph_writers(graph)["json"](path)
        expected = read_document(path, "json")
        writers = zip(graph_writers(graph).items(), graph_writers(again).values(), strict=True)
        found = [
            _check_format(suffix, path, (first, second), expected)
            for (suffix, first), second in writers
        ]
    return not broken and all(found)


def _check_format(
    suffix: str, path: Path, writers: tuple[Callable[[Path], None], ...], expected: object
) -> bool:
    begin = time.process_time()
    writers[0](path)
    taken, size, first = time.process_time() - begin, path.stat().st_size, file_digest(path)
    equal = read_document(path, suffix) == expected
    writers[1](path)
    same = file_digest(path) == first
    print(
        f"  {suffix:7} {taken:6.2f} s {size / 1e6:7.2f} MB   "
        f"{'read back equal' if equal else 'READ BACK UNEQUAL'}, "
        f"{'rebuilt to the same bytes' if same else 'REBUILT TO OTHER BYTES'}"
    )
    return equal and same


if __name__ == "__main__":
    main()
