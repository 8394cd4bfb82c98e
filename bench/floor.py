"""The floor: what these bytes cost at the least, with other people's tools, on this machine, in this run.

xmllint --schema over the files; digest and signature check of the same bytes by OpenSSL; SQLite (WAL,
synchronous FULL) taking each raw message as a blob with a key row a document, one transaction a message.
All in CPU seconds of all processes.
"""

from __future__ import annotations

import re
import resource
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from typing import Any

XSD = Path(__file__).parent.parent / "cebport" / "messages" / "tables" / "xsd" / "2022-05" / "import.xsd"
KEY_TAGS = re.compile(rb"<(?:\w+:)?(?:orderNo|logisticsNo|payTransactionId|copNo)>([^<]*)<")
DOCUMENT_GUIDS = re.compile(rb"<(?:\w+:)?guid>([^<]*)<")


def cpu_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def xmllint(files: list[Path]) -> float:
    before = cpu_seconds(resource.RUSAGE_CHILDREN)
    for start in range(0, len(files), 200):
        done = subprocess.run(["xmllint", "--noout", "--schema", str(XSD), *map(str, files[start : start + 200])],
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr[-500:]
    return cpu_seconds(resource.RUSAGE_CHILDREN) - before


def signed_bytes(files: list[Path]) -> list[tuple[Any, Any, bytes, bytes, bytes]]:
    """(method, certificate, document without Signature, SignedInfo, value): prepared, not counted."""
    from base64 import b64decode

    from cebport.messages.certificates import read_certificate_text
    from cebport.messages.wire import parse_tree
    from cebport.messages.xmldsig import last_element, read_signature

    made = []
    for file in files:
        raw = file.read_bytes()
        parts = read_signature(last_element(parse_tree(raw).root), [])
        start, end = raw.index(b"<ds:Signature"), raw.index(b"</ds:Signature>") + 15
        info = raw[raw.index(b"<ds:SignedInfo"): raw.index(b"</ds:SignedInfo>") + 16]
        made.append((parts.method, read_certificate_text(parts.certificate_text), raw[:start] + raw[end:], info,
                     b64decode(parts.value_text)))
    return made


def openssl(prepared: list[tuple[Any, Any, bytes, bytes, bytes]]) -> float:
    from cebport.messages.signature import digest, fits

    for method, certificate, _, info, value in prepared[:8]:
        fits(method, certificate, info, value)
    before = cpu_seconds(resource.RUSAGE_SELF)
    for method, certificate, document, info, value in prepared:
        digest(method.digest_hash, document)
        fits(method, certificate, info, value)
    return cpu_seconds(resource.RUSAGE_SELF) - before


def sqlite(files: list[Path]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        base = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("CREATE TABLE raw (id INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
        base.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, raw INTEGER NOT NULL) WITHOUT ROWID")
        prepared = []
        for number, file in enumerate(files):
            raw = file.read_bytes()
            guids = DOCUMENT_GUIDS.findall(raw)
            prepared.append((raw, [(guid.decode(), number) for guid in guids]))
        before = cpu_seconds(resource.RUSAGE_SELF)
        for number, (raw, keys) in enumerate(prepared):
            base.execute("BEGIN IMMEDIATE")
            base.execute("INSERT INTO raw VALUES (?, ?)", (number, raw))
            base.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", keys)
            base.execute("COMMIT")
        used = cpu_seconds(resource.RUSAGE_SELF) - before
        base.close()
    return used


def measure(folder: Path, parcels: int) -> dict[str, float]:
    """CPU µs a parcel: {"xmllint", "openssl", "sqlite", "floor"}."""
    files = sorted(folder.rglob("*.xml"))
    parts = {"xmllint": xmllint(files), "openssl": openssl(signed_bytes(files)), "sqlite": sqlite(files)}
    made = {name: seconds / parcels * 1e6 for name, seconds in parts.items()}
    return {**made, "floor": sum(made.values())}
