"""Fixtures of every test: where the facts lie, a real PostgreSQL, a fresh store on either database.

PostgreSQL comes from Debian and is started once a test process, with its own data folder, a Unix socket and
fsync on. It is never left out: a machine without it fails these tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cebport import cli

if TYPE_CHECKING:
    from walks_made import Home, Traffic

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SERVER_USERS = ("postgres", "nobody")
START_SECONDS = 30


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of facts (official XSDs, samples, tables); tests that compare with it say what lies there."""
    return SHARED


class PostgresServer:
    """One running server; ``fresh()`` gives the URL of a new empty database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data, self.log = folder / "data", folder / "server.log"
        self.who = self._user()
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def _user() -> pwd.struct_passwd | None:
        """initdb and postgres refuse root: then they run as somebody who may nothing else."""
        if os.geteuid() != 0:
            return None
        for name in SERVER_USERS:
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise RuntimeError(f"root needs one of the users {', '.join(SERVER_USERS)} to start PostgreSQL")

    @staticmethod
    def _tool(name: str) -> str:
        newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
                        key=lambda path: int(path.parts[-3])) if Path("/usr/lib/postgresql").is_dir() else []
        found = str(newest[-1]) if newest else shutil.which(name)
        if found is None:
            raise RuntimeError(f"{name} is not installed: apt-get install postgresql")
        return found

    def _as_user(self) -> dict[str, object]:
        if self.who is None:
            return {}
        return {"user": self.who.pw_uid, "group": self.who.pw_gid, "extra_groups": ()}

    def start(self) -> None:
        """Make the data folder if there is none, start, and wait until it answers."""
        plain = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self.folder)}
        if self.who is not None:
            os.chown(self.folder, self.who.pw_uid, self.who.pw_gid)
        if not self.data.exists():
            made = subprocess.run(
                [self._tool("initdb"), "-D", str(self.data), "-U", "cebport", "-A", "trust", "-E", "UTF8",
                 "--no-locale", "--no-sync"],
                cwd=self.folder, env=plain, capture_output=True, text=True, check=False, **self._as_user())
            assert made.returncode == 0, f"initdb failed: {made.stderr}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self._tool("postgres"), "-D", str(self.data), "-k", str(self.folder), "-c", "listen_addresses=",
                 "-c", "fsync=on", "-c", "full_page_writes=on", "-c", "recovery_init_sync_method=syncfs",
                 "-c", "max_connections=80",
                 "-c", "shared_buffers=64MB", "-c", "deadlock_timeout=200ms"],
                cwd=self.folder, env=plain, stdout=log, stderr=log, **self._as_user())
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.run("SELECT 1")
                return
            except Exception as wrong:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"PostgreSQL does not start: {wrong}\n{self.log.read_text()}") from wrong
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End the server: SIGQUIT as a crash would, SIGINT in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
        self.process = None

    def url(self, database: str) -> str:
        """URL of a database."""
        return f"postgresql://cebport@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """One statement on a connection of its own."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def fresh(self) -> str:
        """A new empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name} STRATEGY file_copy")
        return self.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="cebport-pg-"))
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A fresh store with its key file, on SQLite and on PostgreSQL."""
    yield from _home(request, tmp_path, request.param)


@pytest.fixture
def sqlite_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A fresh store on SQLite."""
    yield from _home(request, tmp_path, "sqlite")


@pytest.fixture
def postgres_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A fresh store on PostgreSQL."""
    yield from _home(request, tmp_path, "postgresql")


def _home(request: pytest.FixtureRequest, folder: Path, kind: str) -> Iterator[Home]:
    url = f"sqlite:///{folder / 'store.db'}" if kind == "sqlite" else request.getfixturevalue("postgres").fresh()
    from walks_made import Home

    made = Home(kind, url, folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    """A small port's morning without faults and without contention: 60 parcels, RSA and SM2."""
    from walks_made import make_traffic

    return make_traffic(tmp_path_factory.mktemp("traffic"), parcels=60, seed=11, documents_per_message=10)


@pytest.fixture(scope="session")
def faulty_traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    """The same with every sown fault: 150 parcels, a third of them wrong."""
    from walks_made import make_traffic

    return make_traffic(tmp_path_factory.mktemp("faulty"), parcels=150, seed=5, faults=0.34, documents_per_message=10)


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """An English terminal, and no password in the environment."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "CEBPORT_PASSWORD", "CEBPORT_PIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], english: None) -> Any:
    """Run a command in this process: (exit code, standard output, standard error). Never a traceback."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out
        return code, out, err

    return run
