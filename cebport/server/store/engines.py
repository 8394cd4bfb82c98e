"""The two databases behind one small set of verbs (SQLite embedded, PostgreSQL for a port).

``many`` runs a named statement for many rows, ``select`` by a set of keys, ``rows`` with parameters; each is
one call to the database, whatever the number of rows. Statements stand in ``queries_<dialect>.sql``.
A write transaction on SQLite takes turns by a file lock, so that waiting workers neither spin nor starve.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cebport.faults import ChannelDown, SettingsError, StoreConflict

HERE = Path(__file__).parent
SQLITE_CACHE_KIB = 48_000
SQLITE_BUSY_MS = 60_000
SQLITE_CHECKPOINT_PAGES = 8_000


@cache
def queries(dialect: str) -> dict[str, str]:
    """Name -> statement of a dialect."""
    text = (HERE / f"queries_{dialect}.sql").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^-- name: (\w+)\n", text)
    return {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def engine_of(url: str) -> SqliteEngine | PostgresEngine:
    """The engine of ``sqlite:///path`` (three slashes relative, four absolute) or ``postgresql://...``.

    Raises SettingsError for any other URL.
    """
    if url.startswith("sqlite:///"):
        return SqliteEngine(Path(url.removeprefix("sqlite:///")))
    if url.startswith(("postgresql://", "postgres://")):
        return PostgresEngine(url)
    raise SettingsError(note=f"store {url!r}: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE")


class SqliteEngine:
    """One connection to one file, WAL, every commit on disk before it is answered."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=SQLITE_BUSY_MS / 1000,
                                              check_same_thread=False, cached_statements=256)
        except sqlite3.OperationalError as wrong:
            raise ChannelDown(note=f"store {path}: {wrong}") from wrong
        run = self.connection.execute
        try:
            run("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as wrong:
            raise SettingsError(note=f"store {path}: {wrong}") from wrong
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
        run(f"PRAGMA wal_autocheckpoint = {SQLITE_CHECKPOINT_PAGES}")
        run("PRAGMA temp_store = MEMORY")
        self._sql = queries(self.dialect)
        self._turn = os.open(str(path) + ".turn", os.O_CREAT | os.O_RDWR, 0o600)
        self._in: dict[tuple[str, int], str] = {}

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
        os.close(self._turn)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write transaction. Raises ChannelDown when the disk is full or the file cannot be written."""
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
        except sqlite3.OperationalError as wrong:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise ChannelDown(note=f"store {self.path}: {wrong}") from wrong
        except sqlite3.IntegrityError as wrong:
            raise StoreConflict(note=str(wrong)) from wrong
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def many(self, name: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run for every row; how many rows of the table changed."""
        if not rows:
            return 0
        return self.connection.executemany(self._sql[name], rows).rowcount

    def rows(self, name: str, *parameters: Any) -> list[Any]:
        """The rows of a statement with plain parameters."""
        return self.connection.execute(self._sql[name], parameters).fetchall()

    def select(self, name: str, keys: Iterable[Any]) -> list[Any]:
        """The rows of a statement for a set of keys."""
        wanted = list(keys)
        found: list[Any] = []
        for start in range(0, len(wanted), 500):
            chunk = wanted[start : start + 500]
            sql = self._in.get((name, len(chunk)))
            if sql is None:
                sql = self._sql[name].replace("{in}", ",".join("?" * len(chunk)))
                if len(self._in) < 2000:
                    self._in[(name, len(chunk))] = sql
            found += self.connection.execute(sql, chunk).fetchall()
        return found

    def lease(self, name: str, size: int) -> int:
        """Take ``size`` numbers of a series; the first number after them. Inside the running transaction."""
        return int(self.rows("lease_numbers", name, size)[0][0])

    def scalar(self, sql: str) -> Any:
        """One value of a plain statement; None when the table is not there."""
        try:
            row = self.connection.execute(sql).fetchone()
        except sqlite3.OperationalError:
            return None
        return row[0] if row else None

    def snapshot(self, tables: Mapping[str, str], size: int) -> Iterator[tuple[str, list[Any]]]:
        """Every row of the tables as of one moment, in chunks."""
        self.connection.execute("BEGIN")
        try:
            for table, columns in tables.items():
                cursor = self.connection.execute(f"SELECT {columns} FROM {table}")
                while chunk := cursor.fetchmany(size):
                    yield table, [list(row) for row in chunk]
        finally:
            self.connection.execute("ROLLBACK")

    def fill(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Put rows into an empty table, as they are."""
        marks = ", ".join("?" * len(columns.split(",")))
        self.connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def count_on(self, counted: Mapping[str, str]) -> None:
        """After ``fill``: fresh rows are numbered after the highest. SQLite does that by itself."""

    def sqlalchemy(self) -> Any:
        """An SQLAlchemy engine on this database, for migrations."""
        import sqlalchemy

        return sqlalchemy.create_engine(f"sqlite:///{self.path}")


class PostgresEngine:
    """One connection to a PostgreSQL database; statements take whole columns as arrays."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        import psycopg

        self.url = url
        self._errors = psycopg.errors
        self._operational = psycopg.OperationalError
        self._psycopg = psycopg
        self.connection = self._connect()
        self._side: Any = None
        self._sql = queries(self.dialect)

    def _connect(self) -> Any:
        try:
            return self._psycopg.connect(self.url, autocommit=True, prepare_threshold=2)
        except self._operational as wrong:
            raise ChannelDown(note=f"store {self.url.split('@')[-1]}: {wrong}") from wrong

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()
        if self._side is not None:
            self._side.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write transaction; a lost race is StoreConflict, a lost server ChannelDown."""
        errors = self._errors
        try:
            with self.connection.transaction():
                yield
        except (errors.UniqueViolation, errors.SerializationFailure, errors.DeadlockDetected) as wrong:
            raise StoreConflict(note=str(wrong)) from wrong
        except self._operational as wrong:
            raise ChannelDown(note=f"store {self.url.split('@')[-1]}: {wrong}") from wrong

    def many(self, name: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run once with one array a column; how many rows of the table changed."""
        if not rows:
            return 0
        columns = [list(column) for column in zip(*rows, strict=True)]
        return self.connection.execute(self._sql[name], columns, binary=True).rowcount

    def rows(self, name: str, *parameters: Any) -> list[Any]:
        """The rows of a statement with plain parameters."""
        cursor = self.connection.execute(self._sql[name], parameters, binary=True)
        return cursor.fetchall() if cursor.description else []

    def select(self, name: str, keys: Iterable[Any]) -> list[Any]:
        """The rows of a statement for a set of keys."""
        wanted = list(keys)
        if not wanted:
            return []
        return self.connection.execute(self._sql[name], (wanted,), binary=True).fetchall()

    def lease(self, name: str, size: int) -> int:
        """Take ``size`` numbers of a series, on a connection of its own: no message waits for another's numbers."""
        if self._side is None:
            self._side = self._connect()
        return int(self._side.execute(self._sql["lease_numbers"], (name, size)).fetchone()[0])

    def scalar(self, sql: str) -> Any:
        """One value of a plain statement; None when the table is not there."""
        try:
            row = self.connection.execute(sql).fetchone()
        except self._errors.UndefinedTable:
            return None
        return row[0] if row else None

    def snapshot(self, tables: Mapping[str, str], size: int) -> Iterator[tuple[str, list[Any]]]:
        """Every row of the tables as of one moment, in chunks."""
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for table, columns in tables.items():
                with self.connection.cursor(name=f"snapshot_{table}") as cursor:
                    cursor.itersize = size
                    cursor.execute(f"SELECT {columns} FROM {table}")
                    while chunk := cursor.fetchmany(size):
                        yield table, [list(row) for row in chunk]

    def fill(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Put rows into an empty table, as they are."""
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def count_on(self, counted: Mapping[str, str]) -> None:
        """After ``fill``: fresh rows are numbered after the highest."""
        for table, column in counted.items():
            self.connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "
                f"(SELECT coalesce(max({column}), 0) + 1 FROM {table}), false)")

    def sqlalchemy(self) -> Any:
        """An SQLAlchemy engine on this database, for migrations."""
        import sqlalchemy

        return sqlalchemy.create_engine(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", self.url))


Engine = SqliteEngine | PostgresEngine
