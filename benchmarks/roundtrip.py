"""Check the provenance of whole sweeps: `python -m benchmarks.roundtrip [--bundles] [SWEEP ...]`.

Without a sweep, one of 300 runs of 10 epochs is generated. PROV's rules are checked; every
serialisation is written twice and read back with the prov library, and must be the document that
PROV-JSON is; both RDF files are read by rdflib alone, and must hold the triples that the prov
library writes of that document and, beside them, only what these imply. Of a sweep on disk the
plan, notes and runs are copied twice to folders of other names: there a process with another
PYTHONHASHSEED and working directory each must derive, from nothing, the bytes of the sweep's own
files, and `verify --prov` must find nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import rdflib
from prov.model import ProvDocument

from benchmarks.many_runs import make_plan, make_tables
from provrunner.graph import RELATIONS, Graph, build_graph, check_graph
from provrunner.ids import file_digest
from provrunner.report import open_sweep
from provrunner.report.export import graph_writers
from tests.support.prov_documents import RDF_FORMATS, read_document

_RUNS, _EPOCHS = 300, 10
_PROV = "http://www.w3.org/ns/prov#"
_IMPLIED = {f"{_PROV}{relation.prov}" for relation in RELATIONS.values()} | {
    f"{_PROV}qualified{noun}" for noun in ("Derivation", "Influence")
}
_LOGGED = ("plan.json", "notes.jsonl")


def main() -> None:
    """Check the sweeps that the command line names; exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweeps", metavar="SWEEP", nargs="*", type=Path)
    parser.add_argument("--bundles", action="store_true", help="with a bundle for each run")
    words = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # rdflib warns of itself
    if not words.sweeps:
        plan = make_plan(_RUNS)
        tables = make_tables(plan, epochs=_EPOCHS)
        name = f"{_RUNS} generated runs"
        sys.exit(not _check(name, lambda: build_graph(tables, plan), bundles=words.bundles))
    found = [
        _check(str(path), lambda path=path: open_sweep(path).graph(), bundles=words.bundles)
        and _check_rebuilt(path)
        for path in words.sweeps
    ]
    sys.exit(not all(found))


def _check(name: str, build: Callable[[], Graph], *, bundles: bool) -> bool:
    graph = build()
    broken = check_graph(graph)
    statements = graph.nodes.num_rows + graph.edges.num_rows
    print(f"{name}: {statements} statements, {len(broken)} of them against PROV's rules")
    with tempfile.TemporaryDirectory() as folder:
        first, again = (
            {suffix: Path(folder) / f"{place}.{suffix}" for suffix in graph_writers(graph)}
            for place in ("first", "again")
        )
        taken = _write(graph, first, bundles=bundles)
        _write(build(), again, bundles=bundles)
        expected = read_document(first["json"], "json")
        documents = dict.fromkeys(first, expected)
        if bundles:  # which Turtle does not have
            flat = Path(folder) / "flat.json"
            graph_writers(graph)["json"](flat)
            documents["ttl"] = read_document(flat, "json")
        found = [
            _check_format(suffix, (path, again[suffix]), documents[suffix], taken[suffix])
            for suffix, path in first.items()
        ]
        return not broken and all(found) and _check_triples(first, expected)


def _write(graph: Graph, paths: dict[str, Path], *, bundles: bool) -> dict[str, float]:
    taken = {}
    for suffix, write in graph_writers(graph, bundles=bundles).items():
        begin = time.process_time()
        write(paths[suffix])
        taken[suffix] = time.process_time() - begin
    return taken


def _check_format(
    suffix: str, paths: tuple[Path, Path], expected: ProvDocument, taken: float
) -> bool:
    begin = time.process_time()
    document = read_document(paths[0], suffix)
    reading = time.process_time() - begin
    equal = document == expected
    same = file_digest(paths[0]) == file_digest(paths[1])
    print(
        f"  {suffix:7} written {taken:6.2f} s {paths[0].stat().st_size / 1e6:7.2f} MB, "
        f"read {reading:6.1f} s   {'equal' if equal else 'UNEQUAL'}, "
        f"{'written again to the same bytes' if same else 'WRITTEN AGAIN TO OTHER BYTES'}",
        flush=True,
    )
    return equal and same


def _check_triples(paths: dict[str, Path], document: ProvDocument) -> bool:
    """Compare what rdflib reads of both files with what the prov library writes as RDF."""
    written = document.serialize(format="rdf", rdf_format="nquads")
    expected = rdflib.Dataset()
    expected.parse(data=written, format="nquads")
    found = rdflib.Dataset()
    found.parse(paths["nq"], format=RDF_FORMATS["nq"])
    quads, wanted = set(found.quads()), set(expected.quads())
    beside = {str(quad[1]) for quad in quads - wanted} - _IMPLIED
    turtle = set(rdflib.Graph().parse(paths["ttl"]))
    told = {
        "the prov library's triples are in N-Quads": wanted <= quads,
        "beside them only what they imply": not beside,
        "Turtle holds what N-Quads hold": turtle <= {quad[:3] for quad in quads},
    }
    for what, holds in told.items():
        print(f"  {'' if holds else 'NOT TRUE: '}{what} ({len(quads)} triples)", flush=True)
    return all(told.values())


def _check_rebuilt(sweep: Path) -> bool:
    """Derive all files of a sweep anew, twice, and compare them with its own."""
    own = {path: file_digest(sweep / path) for path in _derived(sweep)}
    # a large sweep has all documents only where somebody asked for them
    asked = [["export", "--to", "all"]] if "prov/sweep.nq" in own else []
    same = True
    for seed in ("1", "2"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / f"copied-{seed}"
            _copy_runs(sweep, folder)
            for verb in (["report"], *asked, ["verify", "--prov"]):
                done = subprocess.run(
                    [sys.executable, "-m", "provrunner", *verb, folder.name],
                    cwd=name,
                    env={**os.environ, "PYTHONHASHSEED": seed},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                print(f"  {' '.join(verb)}: exit {done.returncode}", done.stderr.strip())
                same &= done.returncode == 0
            other = {path: file_digest(folder / path) for path in _derived(folder)}
        wrong = sorted(path for path in own | other if own.get(path) != other.get(path))
        same &= not wrong
        told = f"OTHER BYTES IN {', '.join(wrong)}" if wrong else "the same bytes"
        print(f"  {len(other)} files derived anew, PYTHONHASHSEED {seed}: {told}", flush=True)
    return same


def _derived(sweep: Path) -> Iterator[str]:
    """Give the paths of the files that a report writes."""
    for pattern in ("tables/*", "prov/*", "report.html", "summary.*", "next.yaml"):
        yield from sorted(path.relative_to(sweep).as_posix() for path in sweep.glob(pattern))


def _copy_runs(sweep: Path, folder: Path) -> None:
    shutil.copytree(sweep / "runs", folder / "runs")
    for name in _LOGGED:
        if (sweep / name).is_file():
            shutil.copy2(sweep / name, folder)


if __name__ == "__main__":
    main()
