"""Ask a sweep's public tables in SQL."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from provrunner.errors import ConfigError, nearest
from provrunner.schema import TABLES

if TYPE_CHECKING:
    import duckdb

__all__ = ["Views", "connect", "public_views"]

_QUERIES = {"SELECT", "EXPLAIN", "MULTI"}
_CATALOGUE = {
    *("show", "describe", "information_schema", "sqlite_master", "pg_catalog"),
    *("duckdb_columns", "duckdb_tables", "duckdb_views", "pragma_show_tables"),
}
"""Words of a query that asks what tables there are."""

_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    # DuckDB would spill into `.tmp` of the user's working directory
    "temp_directory": "",
}


class Views:
    """An in-memory database of a sweep's public tables, each made when a query first names it.

    Args:
        tables: the tables by name; beside them there are the views of `public_views` whose tables
            are all here.
        shapes: the columns of each table that it has in every sweep.
    """

    def __init__(
        self, tables: Mapping[str, pa.Table], shapes: Mapping[str, pa.Schema] = TABLES
    ) -> None:
        self._tables = tables
        self._shapes = shapes
        self._known: set[str] = set()
        self._connection = connect({})
        self._views = {
            name: query
            for name, query in public_views().items()
            if all(table in tables for table in _words(query) & shapes.keys())
        }

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Run one query in DuckDB's SQL; `read_parquet` and its like may name files.

        Args:
            query: a SELECT, `from runs`, DESCRIBE, SHOW, EXPLAIN or PIVOT.

        Raises:
            ConfigError: it is no single query, or DuckDB refuses it; the message is one line.
        """
        import duckdb

        known = set(self._known)
        try:
            self._check(query)
            self._register(query)
            known = self._known
            answer = self._connection.sql(query)
        except duckdb.Error as error:
            raise ConfigError(_explain(str(error), {*self._tables, *self._views})) from error
        finally:
            # a table whose making failed or was interrupted is made for the next query
            self._known = known
        if answer is None:
            raise ConfigError("the query gives no rows")
        return answer

    def rows(self, query: str) -> pa.Table:
        """Answer one query wholly: some mistakes are found only while it is answered.

        Raises:
            ConfigError: as `sql`, or a value is none of what the query takes it for.
        """
        import duckdb

        answer = self.sql(query)
        try:
            return answer.to_arrow_table()
        except duckdb.Error as error:
            raise ConfigError(_explain(str(error), {*self._tables, *self._views})) from error

    def _check(self, query: str) -> None:
        kinds = [statement.type.name for statement in self._connection.extract_statements(query)]
        if len(kinds) != 1:
            raise ConfigError(f"expected one query, found {len(kinds)} statements")
        if kinds[0] not in _QUERIES:
            raise ConfigError(
                f"{kinds[0]} is no query; tables are read only, begin with SELECT or FROM"
            )

    def _register(self, query: str) -> None:
        """Make the tables and views that a query names, and what these views name."""
        words = _words(query) - self._known
        if words & _CATALOGUE:
            self._list_all()
        self._known |= words & (self._tables.keys() | self._views.keys())
        for name in words & self._tables.keys():
            self._connection.register(name, self._tables[name])
        for name in sorted(words & self._views.keys()):
            self._register(self._views[name])
            # anew, for a table may have more columns than it had when it was empty
            self._create(name)

    def _list_all(self) -> None:
        """Let all tables and views be listed with their columns; what no query named is empty."""
        for name in self._tables.keys() - self._known:
            self._connection.register(name, self._shapes[name].empty_table())
        for name in self._views:
            if name not in self._known:
                self._create(name)

    def _create(self, name: str) -> None:
        self._connection.execute(f"create or replace temp view {name} as {self._views[name]}")


@cache
def public_views() -> Mapping[str, str]:
    """Return the SQL of each public view by name; a view names none that comes after it."""
    files = sorted((Path(__file__).parent / "sql").glob("*.sql"))
    return {file.stem: file.read_text("utf-8") for file in files}


def connect(tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB connection in which each table is a view of its name."""
    import duckdb

    connection = duckdb.connect(config=dict(_SETTINGS))
    # one that was built without ICU knows UTC alone
    with contextlib.suppress(duckdb.Error):
        connection.execute("set TimeZone = 'UTC'")
    for name, table in tables.items():
        connection.register(name, table)
    return connection


def _words(query: str) -> set[str]:
    return set(re.findall(r"\w+", query.casefold()))


def _explain(message: str, tables: Iterable[str]) -> str:
    """Put DuckDB's message on one line, without its excerpt of the query."""
    text = " ".join(message.partition("\n\nLINE")[0].split())
    unknown = re.match(r"Catalog Error: Table with name (\S+) does not exist!", text)
    if unknown is None:
        return text
    hint = nearest(unknown[1].casefold(), tables) or f"; there are {', '.join(sorted(tables))}"
    return f"there is no table {unknown[1]}{hint}"
