"""Turns what a Trainer or a loop of one's own does into events."""

from typing import TYPE_CHECKING

from provrunner.capture.code import read_code
from provrunner.capture.options import CaptureOptions, Leaf, RunContext
from provrunner.packages import load_on_use

if TYPE_CHECKING:
    from provrunner.capture.callback import ProvenanceCallback

__all__ = ["CaptureOptions", "Leaf", "ProvenanceCallback", "RunContext", "read_code"]

if not TYPE_CHECKING:
    # It loads torch and Lightning, which a program without them shall not wait for.
    __getattr__ = load_on_use(__name__, {"ProvenanceCallback": "provrunner.capture.callback"})
