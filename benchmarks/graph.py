"""Measure the provenance graph at size: `python -m benchmarks.graph [--runs N] [--epochs N]`.

Prints a line for each measurement: seconds of processor time, and megabytes where memory is the
question. The public tables are generated, and the same for one seed on every machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.many_runs import make_plan, make_tables
from provrunner.graph import Graph, build_graph, check_graph
from provrunner.graph.export.records import read_records
from provrunner.report.export import graph_writers

_Result = TypeVar("_Result")
_YPROV4ML = """
import sys, time
import yprov4ml
runs, epochs, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
begin = time.process_time()
for run in range(runs):
    yprov4ml.start_run("bench", "https://example.org/", folder, use_run_id=run)
    yprov4ml.log_param("optimizer.lr", 0.01)
    for epoch in range(epochs):
        yprov4ml.log_metric("loss", 0.1, "training", step=epoch)
        yprov4ml.log_metric("loss", 0.1, "validation", step=epoch)
    yprov4ml.end_run()
print(time.process_time() - begin)
"""


def main() -> None:
    """Build, ask, check and write the graph of a generated sweep, and print what each took."""
    words = _parser().parse_args()
    if words.stream:
        _stream(words.stream)
        return
    print(f"{words.runs} runs × {words.epochs} epochs, seed {words.seed}")
    plan = make_plan(words.runs)
    tables = make_tables(plan, epochs=words.epochs, seed=words.seed)
    _timed("build as by default, checkpointed epochs", lambda: build_graph(tables, plan), _size)
    graph = _timed(
        "build, all epochs", lambda: build_graph(tables, plan, granularity="epoch"), _size
    )
    with tempfile.TemporaryDirectory() as folder:
        _measure(graph, Path(folder))
    _compare(words.peer_runs, words.epochs, words.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=125)
    parser.add_argument("--seed", type=int, default=0, help="of the losses")
    parser.add_argument("--peer-runs", type=int, default=10, help="runs for the other libraries")
    parser.add_argument("--stream", type=Path, help=argparse.SUPPRESS)
    return parser


def _timed(what: str, call: Callable[[], _Result], tell: Callable[[_Result], str]) -> _Result:
    begin = time.process_time()
    result = call()
    print(f"{what:44} {time.process_time() - begin:8.2f} s   {tell(result)}", flush=True)
    return result


def _size(graph: Graph) -> str:
    return f"{graph.nodes.num_rows:,} nodes, {graph.edges.num_rows:,} edges"


def _measure(built: Graph, folder: Path) -> None:
    for name, table in (("nodes", built.nodes), ("edges", built.edges)):
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    graph = _timed("load both tables", lambda: _load(folder), lambda _: _megabytes(folder))
    _timed("index the edges, once", lambda: graph.lineage("0"), lambda _: "")
    checkpoints = graph.nodes.filter(pc.equal(graph.nodes["type"], "pr:Checkpoint"))["id"]
    last = checkpoints[len(checkpoints) - 1].as_py()
    _timed("lineage of a checkpoint", lambda: graph.lineage(last), _size)
    _timed("all that came of the data set", lambda: graph.lineage("digits", "down"), _size)
    _timed("check against PROV's rules", lambda: check_graph(graph), lambda found: f"{found[:3]}")
    streamed = subprocess.run(
        [sys.executable, "-m", "benchmarks.graph", "--stream", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    print(streamed.stdout, end="")


def _load(folder: Path) -> Graph:
    return Graph(*(pq.read_table(folder / f"{name}.parquet") for name in ("nodes", "edges")))


def _megabytes(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.0f} MB of Parquet"


def _stream(folder: Path) -> None:
    """Write one document in a process of its own, whose memory holds nothing else."""
    graph, path = _load(folder), folder / "sweep.json"
    write = graph_writers(graph)["json"]
    _timed(
        "PROV-JSON, loaded and streamed",
        lambda: write(path),
        lambda _: f"{path.stat().st_size / 1e6:.0f} MB, peak memory {_peak_megabytes()} MB",
    )


def _peak_megabytes() -> int:
    """Return this process's own peak: getrusage's has that of the process that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def _compare(runs: int, epochs: int, seed: int) -> None:
    plan = make_plan(runs)
    graph = build_graph(make_tables(plan, epochs=epochs, seed=seed), plan, granularity="epoch")
    print(f"\n{runs} runs × {epochs} epochs: {_size(graph)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.json"
        _timed("PROV-JSON by provrunner", lambda: graph_writers(graph)["json"](path), lambda _: "")
        _timed("PROV-JSON by the prov library", lambda: _by_library(graph, path), lambda _: "")
        _measure_yprov4ml(runs, epochs, folder)


def _by_library(graph: Graph, path: Path) -> None:
    """Build the same document record by record, and write it."""
    from prov.constants import PROV_N_MAP
    from prov.model import Literal, ProvDocument

    document = ProvDocument()
    document.add_namespace("art", graph.base_iri)
    for prefix, iri in {
        "pr": "https://w3id.org/provrunner/ns#",
        "mls": "http://www.w3.org/ns/mls#",
    }.items():
        document.add_namespace(prefix, iri)
    types = {name: type_ for type_, name in PROV_N_MAP.items()}
    for name, records in read_records(graph):
        for record in records:
            document.new_record(
                types[name],
                record.id,
                [(key, text) for key, text in record.arguments if text],
                [
                    (key, document.valid_qualified_name(text) if type_ == "xsd:QName"
                     else Literal(text, document.valid_qualified_name(type_)))
                    for key, (text, type_) in record.attributes
                ],
            )  # fmt: skip
    document.serialize(str(path), format="json")


def _measure_yprov4ml(runs: int, epochs: int, folder: str) -> None:
    """Log as many runs with yProv4ML: a metric a stage and epoch, one document a run."""
    if find_spec("yprov4ml") is None:
        print("yProv4ML is not installed")
        return
    ended = subprocess.run(
        [sys.executable, "-c", _YPROV4ML, str(runs), str(epochs), folder],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    seconds = float(ended.stdout.split()[-1])
    documents = [json.loads(path.read_text()) for path in Path(folder).rglob("prov_*.json")]
    kinds = [one for document in documents for name, one in document.items() if name != "prefix"]
    print(
        f"{'logged and documented by yProv4ML':44} {seconds:8.2f} s   {len(documents)} documents, "
        f"{sum(map(len, kinds))} statements; {2 * runs * epochs} values in CSV files beside them"
    )


if __name__ == "__main__":
    main()
