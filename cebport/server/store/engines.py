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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from cebport.faults import ChannelDown, SettingsError, StoreConflict

HERE = Path(__file__).parent
SQLITE_CACHE_KIB = 48_000
SQLITE_BUSY_MS = 60_000
SQLITE_CHECKPOINT_PAGES = 8_000
DAMAGED = "the store is damaged: restore a backup"
SQLITE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What SQLite raises; in a damaged file also its own words can be no text."""
SQLITE_DAMAGES = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
OUR_TABLE = "alembic_version"


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


def _foreign(name: str) -> SettingsError:
    return SettingsError(note=f"store {name}: it holds another program's tables; name a database of cebport's own")


def _lock_of(name: str) -> int:
    """The number of an advisory lock."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8, person=b"cebport").digest(), "big", signed=True)


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
        try:
            self._set_up()
        except BaseException:
            self.connection.close()
            raise
        self._sql = queries(self.dialect)
        self._turn = os.open(str(path) + ".turn", os.O_CREAT | os.O_RDWR, 0o600)
        self._in: dict[tuple[str, int], str] = {}
        self._alive: dict[str, int] = {}

    def _set_up(self) -> None:
        """The pragmas; nothing is changed in a file of somebody else."""
        run = self.connection.execute
        try:
            tables = {row[0] for row in run("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and OUR_TABLE not in tables:
                raise _foreign(str(self.path))
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = FULL")
            run(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
            run(f"PRAGMA wal_autocheckpoint = {SQLITE_CHECKPOINT_PAGES}")
            run("PRAGMA temp_store = MEMORY")
        except SQLITE_ERRORS as wrong:
            raise self.down(wrong) from wrong

    def close(self) -> None:
        """Close the connection; who was held alive by it no longer is."""
        self.connection.close()
        os.close(self._turn)
        for name, descriptor in self._alive.items():
            self._life(name).unlink(missing_ok=True)
            os.close(descriptor)
        self._alive.clear()

    def _life(self, name: str) -> Path:
        return self.path.with_name(self.path.name + ".workers") / name

    def hold(self, name: str) -> None:
        """Show that worker ``name`` lives for as long as this connection: a file that it keeps locked."""
        if name in self._alive:
            return
        life = self._life(name)
        life.parent.mkdir(exist_ok=True)
        for left in life.parent.iterdir():
            self.lives(left.name)  # clears away what killed workers left
        while True:
            descriptor = os.open(life, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.fstat(descriptor).st_ino == life.stat().st_ino:
                    self._alive[name] = descriptor
                    return
            os.close(descriptor)  # somebody cleared the file away before it was locked

    def lives(self, name: str) -> bool:
        """Whether some process holds worker ``name``; the kernel lets go of what a killed one held."""
        try:
            descriptor = os.open(self._life(name), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._life(name).unlink(missing_ok=True)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)

    @contextmanager
    def upgrading(self) -> Iterator[None]:
        """Nobody else upgrades the schema meanwhile."""
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def down(self, wrong: Exception) -> Exception:
        """What an error of the database means: ChannelDown, final where waiting does not help; our own mistakes
        (a value or a statement that SQLite does not take) as they are."""
        if isinstance(wrong, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError):
            return wrong
        name, words = getattr(wrong, "sqlite_errorname", ""), str(wrong)
        if isinstance(wrong, UnicodeDecodeError) or name.startswith(SQLITE_DAMAGES) or words.startswith(
                ("Could not decode", "no such table")):
            return ChannelDown(note=f"store {self.path}: {DAMAGED} ({words})", is_final=True)
        return ChannelDown(note=f"store {self.path}: {words}", is_final=name.startswith("SQLITE_READONLY"))

    def _undo(self) -> None:
        """Roll back, as far as a damaged database lets us."""
        if self.connection.in_transaction:
            with suppress(sqlite3.DatabaseError):
                self.connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write transaction. Raises ChannelDown when the disk is full or the file cannot be written."""
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._undo()
                raise
            self.connection.execute("COMMIT")
        except sqlite3.IntegrityError as wrong:
            if wrong.sqlite_errorname == "SQLITE_CONSTRAINT_CHECK":
                raise  # an invariant of the books: our own mistake, no race
            raise StoreConflict(note=str(wrong)) from wrong
        except sqlite3.DatabaseError as wrong:
            self._undo()
            raise self.down(wrong) from wrong
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def many(self, name: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run for every row; how many rows of the table changed."""
        if not rows:
            return 0
        return self.connection.executemany(self._sql[name], rows).rowcount

    def rows(self, name: str, *parameters: Any) -> list[Any]:
        """The rows of a statement with plain parameters."""
        try:
            return self.connection.execute(self._sql[name], parameters).fetchall()
        except SQLITE_ERRORS as wrong:
            raise self.down(wrong) from wrong

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
            try:
                found += self.connection.execute(sql, chunk).fetchall()
            except SQLITE_ERRORS as wrong:
                raise self.down(wrong) from wrong
        return found

    def lease(self, name: str, size: int) -> int:
        """Take ``size`` numbers of a series; the first number after them. Inside the running transaction."""
        return int(self.rows("lease_numbers", name, size)[0][0])

    def scalar(self, sql: str) -> Any:
        """One value of a plain statement; None when the table is not there."""
        try:
            row = self.connection.execute(sql).fetchone()
        except SQLITE_ERRORS as wrong:
            if "no such table" in str(wrong):
                return None
            raise self.down(wrong) from wrong
        return row[0] if row else None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read meanwhile is the store of one moment, whoever writes beside."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN")
        try:
            yield
        except SQLITE_ERRORS as wrong:
            raise self.down(wrong) from wrong
        finally:
            self._undo()

    def snapshot(self, tables: Mapping[str, str], sizes: Callable[[str], int]) -> Iterator[tuple[str, list[Any]]]:
        """Every row of the tables as of one moment, in chunks of so many rows a table."""
        with self.reading():
            for table, columns in tables.items():
                cursor = self.connection.execute(f"SELECT {columns} FROM {table}")
                while chunk := cursor.fetchmany(sizes(table)):
                    yield table, [list(row) for row in chunk]

    def fill(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Put rows into an empty table, as they are."""
        marks = ", ".join("?" * len(columns.split(",")))
        self.connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def count_on(self, counted: Mapping[str, str]) -> None:
        """After ``fill``: fresh rows are numbered after the highest. SQLite does that by itself."""

    @contextmanager
    def forgetting(self, table: str) -> Iterator[None]:
        """What is overwritten meanwhile is gone from the file and from the log beside it."""
        self.connection.execute("PRAGMA secure_delete = ON")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA secure_delete = OFF")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def sqlalchemy(self) -> Any:
        """An SQLAlchemy engine on this database, for migrations; also a schema is made whole or not at all."""
        import sqlalchemy
        from sqlalchemy import event

        engine = sqlalchemy.create_engine(f"sqlite:///{self.path}")
        event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine

    def check_ours(self) -> None:
        """Before a schema is made: nobody else's tables are there. Here looked at when the file was opened."""


class PostgresEngine:
    """One connection to a PostgreSQL database; statements take whole columns as arrays."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        import psycopg

        self.url = url
        self._errors = errors = psycopg.errors
        self._operational = psycopg.OperationalError
        self._final = (errors.InsufficientPrivilege, errors.DataCorrupted, errors.IndexCorrupted,
                       errors.UndefinedTable, errors.UndefinedColumn)
        self._refusing = (psycopg.OperationalError, errors.ReadOnlySqlTransaction, *self._final)
        self._psycopg = psycopg
        self._alive: set[str] = set()
        self._inside = False
        self.connection = self._connect()
        self._side: Any = None
        self._sql = queries(self.dialect)

    def _connect(self) -> Any:
        try:
            return self._psycopg.connect(self.url, autocommit=True, prepare_threshold=2)
        except self._operational as wrong:
            raise self.down(wrong) from wrong
        except (self._psycopg.ProgrammingError, UnicodeError) as wrong:
            raise SettingsError(note=f"store {self.url.split('@')[-1]!r}: expected postgresql://USER@HOST/DATABASE "
                                     f"({str(wrong).strip()})") from wrong

    def down(self, wrong: Exception) -> ChannelDown:
        """What an error of the server means: ChannelDown, final where waiting does not help."""
        return ChannelDown(note=f"store {self.url.split('@')[-1]}: {str(wrong).strip()}",
                           is_final=isinstance(wrong, self._final))

    def _again(self) -> None:
        """After a lost connection: a new one, which holds what the old one held."""
        self.connection = self._connect()
        for name in self._alive:
            self.connection.execute("SELECT pg_advisory_lock(%s)", (_lock_of(name),))

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Outside a transaction a lost server is ChannelDown; inside, the transaction says so."""
        if self._inside:
            yield
            return
        try:
            if self.connection.closed:
                self._again()
            yield
        except self._refusing as wrong:
            raise self.down(wrong) from wrong

    def close(self) -> None:
        """Close the connections; who was held alive by them no longer is."""
        self.connection.close()
        if self._side is not None:
            self._side.close()

    def hold(self, name: str) -> None:
        """Show that worker ``name`` lives for as long as this connection: an advisory lock of the session."""
        if name in self._alive:
            return
        with self._reached():
            self.connection.execute("SELECT pg_advisory_lock(%s)", (_lock_of(name),))
        self._alive.add(name)

    def lives(self, name: str) -> bool:
        """Whether some session, on whatever host, holds worker ``name``."""
        if name in self._alive:
            return True
        with self._reached():
            got = self.connection.execute("SELECT pg_try_advisory_lock(%s)", (_lock_of(name),)).fetchone()[0]
            if got:
                self.connection.execute("SELECT pg_advisory_unlock(%s)", (_lock_of(name),))
        return not got

    @contextmanager
    def upgrading(self) -> Iterator[None]:
        """Nobody else upgrades the schema meanwhile."""
        with self._reached():
            self.connection.execute("SELECT pg_advisory_lock(%s)", (_lock_of("upgrade"),))
        try:
            yield
        finally:
            self.connection.execute("SELECT pg_advisory_unlock(%s)", (_lock_of("upgrade"),))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write transaction; a lost race is StoreConflict, a lost server ChannelDown."""
        errors = self._errors
        try:
            if self.connection.closed:
                self._again()
            self._inside = True
            with self.connection.transaction():
                yield
        except (errors.UniqueViolation, errors.SerializationFailure, errors.DeadlockDetected) as wrong:
            raise StoreConflict(note=str(wrong)) from wrong
        except self._refusing as wrong:
            raise self.down(wrong) from wrong
        finally:
            self._inside = False

    def many(self, name: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run once with one array a column; how many rows of the table changed."""
        if not rows:
            return 0
        columns = [list(column) for column in zip(*rows, strict=True)]
        return self.connection.execute(self._sql[name], columns, binary=True).rowcount

    def rows(self, name: str, *parameters: Any) -> list[Any]:
        """The rows of a statement with plain parameters."""
        with self._reached():
            cursor = self.connection.execute(self._sql[name], parameters, binary=True)
            return cursor.fetchall() if cursor.description else []

    def select(self, name: str, keys: Iterable[Any]) -> list[Any]:
        """The rows of a statement for a set of keys."""
        wanted = list(keys)
        if not wanted:
            return []
        with self._reached():
            return self.connection.execute(self._sql[name], (wanted,), binary=True).fetchall()

    def lease(self, name: str, size: int) -> int:
        """Take ``size`` numbers of a series, on a connection of its own: no message waits for another's numbers."""
        if self._side is None or self._side.closed:
            self._side = self._connect()
        return int(self._side.execute(self._sql["lease_numbers"], (name, size)).fetchone()[0])

    def scalar(self, sql: str) -> Any:
        """One value of a plain statement; None when the table is not there."""
        try:
            with self._reached():
                row = self.connection.execute(sql).fetchone()
        except ChannelDown as down:
            if isinstance(down.__cause__, self._errors.UndefinedTable):
                return None
            raise
        return row[0] if row else None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read meanwhile is the store of one moment, whoever writes beside."""
        if self._inside:
            yield
            return
        with self.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield

    def snapshot(self, tables: Mapping[str, str], sizes: Callable[[str], int]) -> Iterator[tuple[str, list[Any]]]:
        """Every row of the tables as of one moment, in chunks of so many rows a table."""
        with self.reading():
            for table, columns in tables.items():
                with self.connection.cursor(name=f"snapshot_{table}") as cursor:
                    cursor.execute(f"SELECT {columns} FROM {table}")
                    while chunk := cursor.fetchmany(sizes(table)):
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

    @contextmanager
    def forgetting(self, table: str) -> Iterator[None]:
        """The server gives up overwritten rows of the table; its files and its log may keep them for a while."""
        yield
        with self._reached():
            self.connection.execute(f"VACUUM {table}")

    def sqlalchemy(self) -> Any:
        """An SQLAlchemy engine on this database, for migrations."""
        import sqlalchemy

        return sqlalchemy.create_engine(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", self.url))

    def check_ours(self) -> None:
        """Before a schema is made: nobody else's tables are there. Raises SettingsError."""
        held = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        if self.scalar(held) and not self.scalar(f"{held} AND tablename = '{OUR_TABLE}'"):
            raise _foreign(self.url.split("@")[-1])


Engine = SqliteEngine | PostgresEngine
