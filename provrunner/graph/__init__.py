"""The public tables of a sweep become a W3C PROV graph to ask, check, draw and export."""

from typing import TYPE_CHECKING

from provrunner.packages import load_on_use

if TYPE_CHECKING:
    from provrunner.graph.build import build_graph
    from provrunner.graph.check import Violation, check_graph
    from provrunner.graph.parts import bundle_runs, cut_run
    from provrunner.graph.picture import draw_lineage, draw_run, draw_types
    from provrunner.graph.picture_plan import draw_plan
    from provrunner.graph.query import Graph, find_term, lineage
    from provrunner.graph.terms import BASE_IRI, NAMESPACES, RELATIONS
    from provrunner.graph.view import build_view

__all__ = [
    "BASE_IRI",
    "NAMESPACES",
    "RELATIONS",
    "Graph",
    "Violation",
    "build_graph",
    "build_view",
    "bundle_runs",
    "check_graph",
    "cut_run",
    "draw_lineage",
    "draw_plan",
    "draw_run",
    "draw_types",
    "find_term",
    "lineage",
]

if not TYPE_CHECKING:
    # Who builds a graph need not draw, check or export it.
    __getattr__ = load_on_use(
        __name__,
        {
            "BASE_IRI": "provrunner.graph.terms",
            "NAMESPACES": "provrunner.graph.terms",
            "RELATIONS": "provrunner.graph.terms",
            "Graph": "provrunner.graph.query",
            "Violation": "provrunner.graph.check",
            "build_graph": "provrunner.graph.build",
            "build_view": "provrunner.graph.view",
            "bundle_runs": "provrunner.graph.parts",
            "check_graph": "provrunner.graph.check",
            "cut_run": "provrunner.graph.parts",
            "draw_lineage": "provrunner.graph.picture",
            "draw_plan": "provrunner.graph.picture_plan",
            "draw_run": "provrunner.graph.picture",
            "draw_types": "provrunner.graph.picture",
            "find_term": "provrunner.graph.query",
            "lineage": "provrunner.graph.query",
        },
    )
