"""What people read of a sweep: its tables, terminal text, Markdown and one self-contained page."""

from typing import TYPE_CHECKING

from provrunner.packages import load_on_use
from provrunner.report.analyze import analyze
from provrunner.report.watch import watch

if TYPE_CHECKING:
    from provrunner.report.chart_files import write_charts
    from provrunner.report.diff import Diff, diff_runs
    from provrunner.report.escape import visible
    from provrunner.report.export import FORMATS, export_graph
    from provrunner.report.files import write_summary
    from provrunner.report.gc import collect_checkpoints, find_garbage
    from provrunner.report.impact import impact_of
    from provrunner.report.imports import import_runs
    from provrunner.report.latex import summary_latex
    from provrunner.report.markdown import summary_markdown
    from provrunner.report.notes import add_note
    from provrunner.report.numbers import size
    from provrunner.report.questions import ask, find_question, list_questions, question_sql
    from provrunner.report.restore import Restored, restore_run
    from provrunner.report.results import Sweep, open_sweep
    from provrunner.report.rows import render_rows
    from provrunner.report.runref import RunRef, find_run
    from provrunner.report.stored import analyze_store, read_runs_table
    from provrunner.report.text import print_summary, render_summary
    from provrunner.report.verbs import Trace, trace, verify_sweep, write_picture
    from provrunner.report.verdict import Verdict, check_ended, data_changes, verify_rerun
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
    "collect_checkpoints",
    "data_changes",
    "diff_runs",
    "explain",
    "export_graph",
    "find_garbage",
    "find_question",
    "find_run",
    "impact_of",
    "import_runs",
    "list_questions",
    "open_sweep",
    "print_summary",
    "question_sql",
    "read_runs_table",
    "render_rows",
    "render_summary",
    "restore_run",
    "size",
    "summary_latex",
    "summary_markdown",
    "trace",
    "verify_rerun",
    "verify_sweep",
    "visible",
    "watch",
    "write_charts",
    "write_picture",
    "write_summary",
]

if not TYPE_CHECKING:
    # A verb needs few of these. Two are here at once: their modules have the functions' own names.
    __getattr__ = load_on_use(
        __name__,
        {
            "FORMATS": "provrunner.report.export",
            "Diff": "provrunner.report.diff",
            "Restored": "provrunner.report.restore",
            "RunRef": "provrunner.report.runref",
            "Sweep": "provrunner.report.results",
            "Trace": "provrunner.report.verbs",
            "Verdict": "provrunner.report.verdict",
            "Why": "provrunner.report.why",
            "add_note": "provrunner.report.notes",
            "analyze_store": "provrunner.report.stored",
            "ask": "provrunner.report.questions",
            "check_ended": "provrunner.report.verdict",
            "collect_checkpoints": "provrunner.report.gc",
            "data_changes": "provrunner.report.verdict",
            "diff_runs": "provrunner.report.diff",
            "explain": "provrunner.report.why",
            "export_graph": "provrunner.report.export",
            "find_garbage": "provrunner.report.gc",
            "find_question": "provrunner.report.questions",
            "find_run": "provrunner.report.runref",
            "impact_of": "provrunner.report.impact",
            "import_runs": "provrunner.report.imports",
            "list_questions": "provrunner.report.questions",
            "open_sweep": "provrunner.report.results",
            "print_summary": "provrunner.report.text",
            "question_sql": "provrunner.report.questions",
            "read_runs_table": "provrunner.report.stored",
            "render_rows": "provrunner.report.rows",
            "render_summary": "provrunner.report.text",
            "restore_run": "provrunner.report.restore",
            "size": "provrunner.report.numbers",
            "summary_latex": "provrunner.report.latex",
            "summary_markdown": "provrunner.report.markdown",
            "trace": "provrunner.report.verbs",
            "verify_rerun": "provrunner.report.verdict",
            "verify_sweep": "provrunner.report.verbs",
            "visible": "provrunner.report.escape",
            "write_charts": "provrunner.report.chart_files",
            "write_picture": "provrunner.report.verbs",
            "write_summary": "provrunner.report.files",
        },
    )
