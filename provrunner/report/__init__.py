"""What people read of a sweep: its tables, terminal text, Markdown and one self-contained page."""

from provrunner.report.analyze import analyze, read_runs_table
from provrunner.report.export import FORMATS, export_graph
from provrunner.report.files import write_summary
from provrunner.report.markdown import summary_markdown
from provrunner.report.questions import ask, list_questions, question_sql
from provrunner.report.results import Sweep, open_sweep
from provrunner.report.rows import render_rows
from provrunner.report.text import print_summary, render_summary
from provrunner.report.verbs import Trace, trace, verify_sweep
from provrunner.report.watch import watch

__all__ = [
    "FORMATS",
    "Sweep",
    "Trace",
    "analyze",
    "ask",
    "export_graph",
    "list_questions",
    "open_sweep",
    "print_summary",
    "question_sql",
    "read_runs_table",
    "render_rows",
    "render_summary",
    "summary_markdown",
    "trace",
    "verify_sweep",
    "watch",
    "write_summary",
]
