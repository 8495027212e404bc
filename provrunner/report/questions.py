"""The questions that provrunner ships: named queries over the public tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from provrunner.errors import ConfigError, nearest
from provrunner.log.views import public_views
from provrunner.report.lazy import LAZY_TABLES
from provrunner.schema import TABLES

if TYPE_CHECKING:
    from provrunner.report.results import Sweep

__all__ = [
    "Question",
    "QuestionParameter",
    "ask",
    "find_question",
    "list_questions",
    "question_sql",
    "questions",
]

_FILE = re.compile(r"q(\d+)_(\w+)\.sql")
_EMPTY = "nothing of the kind has been recorded"
_PARAMETER = re.compile(r"(\w+) \((\w+)\) = (.+?): (.+)")


@dataclass(frozen=True, slots=True)
class QuestionParameter:
    """One thing that a question leaves open.

    Attributes:
        name: as it is given: `run=3`.
        kind: int (from 0 up), float, text, status, run, metric, objective, direction, node or
            hyperparameter.
        default: in the words in which it would be given; `all` leaves it open.
        meaning: for people.
    """

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question that can be asked of every sweep.

    Attributes:
        number: from 1.
        name: one word for it.
        text: the question in words.
        live: whether it is meant to be asked while runs go on; all can be.
        parameters: what it leaves open, by `$name` in the query.
        query: one statement of DuckDB's SQL.
        empty: what an answer without rows says.
        note: what else to know; empty for most.
    """

    number: int
    name: str
    text: str
    live: bool
    parameters: tuple[QuestionParameter, ...]
    query: str
    empty: str
    note: str = ""

    @property
    def tables(self) -> tuple[str, ...]:
        """The public tables and views that it reads, in the order of docs/tables.md."""
        named = set(re.findall(r"\b(?:from|join)\s+(\w+)", self.query))
        named |= set(re.findall(r"\bfrom\s+\w+(?: \w+)?,\s*(\w+)", self.query))
        known = (*TABLES, *public_views(), *LAZY_TABLES)
        return tuple(name for name in known if name in named)


@cache
def questions() -> tuple[Question, ...]:
    """Return all questions, by number."""
    return tuple(sorted(_read_all(), key=lambda question: question.number))


def find_question(term: int | str) -> Question:
    """Return a question by its number, its name, or `Q` and its number.

    Raises:
        ConfigError: there is none; the message has the nearest name.

    Example:
        >>> find_question(11).name, find_question("q11").name, find_question("overfitting").number
        ('overfitting', 'overfitting', 11)
    """
    text = str(term).strip().casefold().replace("-", "_")
    for question in questions():
        if text in (str(question.number), f"q{question.number}", question.name):
            return question
    known = [question.name for question in questions()]
    hint = nearest(text, known) or f"; `provrunner ask` lists all {len(known)}"
    raise ConfigError(f"there is no question {str(term)!r}{hint}")


def list_questions() -> pa.Table:
    """Return all questions as rows; columns number, name, live, parameters, question."""
    return pa.table(
        {
            "number": [question.number for question in questions()],
            "name": [question.name for question in questions()],
            "live": ["live" if question.live else "" for question in questions()],
            "parameters": [
                " ".join(f"{one.name}={one.default}" for one in question.parameters)
                for question in questions()
            ],
            "question": [question.text for question in questions()],
        }
    )


def question_sql(sweep: Sweep, question: int | str, **parameters: Any) -> str:
    """Return the SQL that `ask` runs, to be pasted into `sweep.sql`.

    Raises:
        ConfigError: there is no such question or parameter, or a value does not fit.
    """
    from provrunner.report.binding import bind

    return bind(sweep, find_question(question), parameters)


def ask(sweep: Sweep, question: int | str, **parameters: Any) -> pa.Table:
    """Ask a sweep one of the shipped questions, also while it runs.

    Args:
        sweep: an open sweep.
        question: its number or name, as `questions` lists them.
        parameters: what the question leaves open; docs/questions.md has their names and defaults.

    Raises:
        ConfigError: there is no such question or parameter, or a value does not fit.
    """
    return sweep.rows(question_sql(sweep, question, **parameters))


def _read_all() -> Iterator[Question]:
    for path in (Path(__file__).parent / "sql").glob("q*.sql"):
        match = _FILE.fullmatch(path.name)
        if match is not None:
            yield _read(int(match[1]), match[2], path.read_text("utf-8"))


def _read(number: int, name: str, text: str) -> Question:
    """Read a file: comment lines that describe the question, then its query."""
    lines = text.splitlines(keepends=True)
    start = next(place for place, line in enumerate(lines) if not line.startswith("--"))
    described: dict[str, str] = {}
    parameters = []
    for line in lines[:start]:
        content = line.removeprefix("--").strip()
        match = _PARAMETER.fullmatch(content)
        if match is not None:
            parameters.append(QuestionParameter(*match.groups()))
        else:
            key, _, value = content.partition(": ")
            described[key] = value
    return Question(
        number=number,
        name=name,
        text=described["question"],
        live=described.get("live") == "yes",
        parameters=tuple(parameters),
        query="".join(lines[start:]),
        empty=described.get("empty", _EMPTY),
        note=described.get("note", ""),
    )
