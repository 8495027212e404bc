"""The public tables of a sweep become a W3C PROV graph to ask, check, draw and export."""

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
