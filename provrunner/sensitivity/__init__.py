"""Which hyperparameters matter beyond seed noise, from the table of runs alone."""

from provrunner.sensitivity.ranges import infer_scale
from provrunner.sensitivity.study import PROGRAM, Parameter, Study
from provrunner.sensitivity.summary import Summary, build_summary

__all__ = ["PROGRAM", "Parameter", "Study", "Summary", "build_summary", "infer_scale"]
