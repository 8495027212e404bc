"""Turns a Trainer's hooks into events."""

from provrunner.capture.callback import ProvenanceCallback
from provrunner.capture.code import read_code
from provrunner.capture.options import CaptureOptions, Leaf, RunContext
from provrunner.capture.own_values import log

__all__ = ["CaptureOptions", "Leaf", "ProvenanceCallback", "RunContext", "log", "read_code"]
