"""What people read of a sweep: its tables, terminal text, Markdown and one self-contained page."""

from provrunner.report.analyze import analyze, analyze_store, read_runs_table
from provrunner.report.diff import Diff, diff_runs
from provrunner.report.escape import visible
from provrunner.report.export import FORMATS, export_graph
from provrunner.report.files import write_summary
from provrunner.report.impact import impact_of
from provrunner.report.markdown import summary_markdown
from provrunner.report.notes import add_note
from provrunner.report.questions import ask, find_question, list_questions, question_sql
from provrunner.report.restore import Restored, restore_run
from provrunner.report.results import Sweep, open_sweep
from provrunner.report.rows import render_rows
from provrunner.report.runref import RunRef, find_run
from provrunner.report.text import print_summary, render_summary
from provrunner.report.verbs import Trace, trace, verify_sweep, write_picture
from provrunner.report.verdict import Verdict, check_ended, data_changes, verify_rerun
from provrunner.report.watch import watch
from provrunner.report.why import Why, explain

__all__ = [
    "FORMATS",
    "Diff",
    "Restored",
    "RunRef",
    "Sweep",
    "Trace",
    "Verdict",
    "Why",
    "add_note",
    "analyze",
    "analyze_store",
    "ask",
    "check_ended",
    "data_changes",
    "diff_runs",
    "explain",
    "export_graph",
    "find_question",
    "find_run",
    "impact_of",
    "list_questions",
    "open_sweep",
    "print_summary",
    "question_sql",
    "read_runs_table",
    "render_rows",
    "render_summary",
    "restore_run",
    "summary_markdown",
    "trace",
    "verify_rerun",
    "verify_sweep",
    "visible",
    "watch",
    "write_picture",
    "write_summary",
]
