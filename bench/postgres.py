"""A PostgreSQL of our own for the benchmark: Debian's, in a temp folder, fsync and synchronous_commit on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PORT = 5477


def binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1].parent


class Server:
    """Starts on entry, ends on exit; ``cpu_seconds`` counts every process of it."""

    def __enter__(self) -> Server:
        self.folder = Path(tempfile.mkdtemp(prefix="cebport-pg-"))
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "postgres")
        with (self.folder / "data" / "postgresql.conf").open("a") as conf:
            conf.write(f"unix_socket_directories = '{self.folder}'\nlisten_addresses = ''\nport = {PORT}\n"
                       "shared_buffers = 256MB\nmax_wal_size = 2GB\n")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "start")
        self.pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        return self

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run([*self.as_user, str(binaries() / name), *arguments], check=True, stdout=subprocess.DEVNULL)

    def database(self, name: str) -> str:
        """A fresh database; its URL."""
        where = ["-h", str(self.folder), "-p", str(PORT), "-U", "postgres"]
        subprocess.run([str(binaries() / "dropdb"), *where, "--if-exists", name], check=True,
                       stderr=subprocess.DEVNULL)
        subprocess.run([str(binaries() / "createdb"), *where, name], check=True)
        return f"postgresql://postgres@/{name}?host={self.folder}&port={PORT}"

    def cpu_seconds(self) -> float:
        """CPU of the server and of every back end, the ended ones too."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            own = int(stat.parent.name) == self.pid
            if own or int(fields[1]) == self.pid:
                total += int(fields[11]) + int(fields[12])
            if own:
                total += int(fields[13]) + int(fields[14])
        return total / os.sysconf("SC_CLK_TCK")

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "fast", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)
