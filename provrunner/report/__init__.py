"""What people read of a sweep: terminal, Markdown and one self-contained page."""

from provrunner.report.markdown import summary_markdown
from provrunner.report.text import print_summary, render_summary

__all__ = ["print_summary", "render_summary", "summary_markdown"]
