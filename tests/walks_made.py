"""What tests of the walk share: a store's home, traffic on disk, single messages, and what a store holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from cebport.clearance.parts import Case, Event, Waybill
from cebport.messages.documents import Document
from cebport.server.run import Ran, clear
from cebport.server.settings import Settings
from cebport.server.store.store import Store
from cebport.testing import builders
from cebport.testing.market import city
from cebport.testing.traffic import card_of, generate, message, signed
from cebport.values import parse_time

ON = parse_time("2026-11-24T10:00:00")
PLACE = "ningbo"
_case = msgspec.msgpack.Decoder(Case)
_waybill = msgspec.msgpack.Decoder(Waybill)
_events = msgspec.msgpack.Decoder(list[Event])


@dataclass
class Traffic:
    """A generated folder and what a good port makes of it."""

    folder: Path
    expected: dict[str, Any]

    @property
    def messages(self) -> Path:
        return self.folder / "messages"

    @property
    def files(self) -> list[Path]:
        return sorted(self.messages.glob("*.xml"))


def make_traffic(folder: Path, *, parcels: int, seed: int = 1, **more: Any) -> Traffic:
    """Traffic of one city in a folder."""
    generate(folder, parcels=parcels, seed=seed, on=ON, **{"place": PLACE, **more})
    return Traffic(folder, json.loads((folder / "expected.json").read_text(encoding="utf-8")))


@dataclass
class Home:
    """A store of one kind: its URL, key file, and the connections that a test opened."""

    kind: str
    url: str
    folder: Path
    opened: list[Store] = field(default_factory=list)

    @property
    def keys(self) -> Path:
        return self.folder / "store.keys"

    @property
    def receipts(self) -> Path:
        return self.folder / "receipts"

    def open(self) -> Store:
        """One more connection."""
        store = Store.open(self.url, self.keys)
        self.opened.append(store)
        return store

    def close(self) -> None:
        for store in self.opened:
            store.close()
        self.opened.clear()

    def settings(self, of: Path, **more: Any) -> Settings:
        """Settings with trust and filings of a folder."""
        plain = {"store": self.url, "keys": str(self.keys), "trust": (str(of / "trust.yaml"),),
                 "filings": str(of / "filings.yaml"), "receipts": str(self.receipts), "patience_seconds": 20}
        return Settings(**{**plain, **more})

    def clear(self, of: Path, paths: Iterable[Path] | None = None, *, on: datetime = ON, **more: Any) -> Ran:
        """Run to rest; by default all messages of the folder."""
        return clear([of / "messages"] if paths is None else list(paths), self.settings(of, **more), on=on)


# ── single messages ─────────────────────────────────────────────────────────────────────────────────────


@cache
def cards() -> dict[str, Any]:
    """Test cards of the companies of one city, SM2 (an RSA key takes longer to make)."""
    return {company.role: card_of(company, "sm2") for company in city(PLACE).companies if company.role in SENDERS}


SENDERS = {"platform": "CEB311", "payment": "CEB411", "logistics": "CEB511", "agent": "CEB621", "operator": "CEB711"}
ROLE = {"CEB311": "platform", "CEB411": "payment", "CEB511": "logistics", "CEB513": "logistics", "CEB621": "agent",
        "CEB623": "agent", "CEB625": "agent", "CEB711": "operator"}


def one_story(number: int, *, mode: str = "9610", at: datetime = ON - timedelta(hours=1), seed: int = 3,
              **more: Any) -> builders.Story:
    """A parcel of the city; the same number the same parcel."""
    return builders.story(Random(seed * 1_000_003 + number), city(PLACE), number, at, mode=mode, tag="WALK0", **more)


def sent(kind: str, documents: Sequence[Document], *, role: str = "", card: Any = None, guid: str = "",
         **more: Any) -> bytes:
    """A signed message of these documents."""
    role = role or ROLE[kind]
    sender = next(company for company in city(PLACE).companies if company.role == role)
    return signed(message(kind, documents, sender, guid=guid, **more), card or cards()[role])


def four(story: builders.Story) -> dict[str, bytes]:
    """The four messages of one parcel."""
    return {"CEB311": sent("CEB311", [story.order]), "CEB411": sent("CEB411", [story.payment]),
            "CEB511": sent("CEB511", [story.waybill]), "CEB621": sent("CEB621", [story.inventory])}


def put(folder: Path, **messages: bytes) -> list[Path]:
    """Messages as files named by their keyword, in the order given; trust and filings beside them."""
    write_trust(folder)
    (folder / "messages").mkdir(parents=True, exist_ok=True)
    paths = []
    for name, raw in messages.items():
        path = folder / "messages" / f"{name}.xml"
        path.write_bytes(raw)
        paths.append(path)
    return paths


def write_trust(folder: Path) -> None:
    """trust.yaml and filings.yaml for the cards of the city."""
    if (folder / "trust.yaml").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for role, card in cards().items():
        (folder / f"{role}.pem").write_bytes(card.certificate_pem())
        entries.append(f"- {{certificate: {role}.pem, declarants: ['{card.declarant}']}}\n")
    (folder / "trust.yaml").write_text("".join(entries), encoding="utf-8")
    filed = [f"- {{code: '{c.code}', name: '{c.name}', roles: [{c.role}]}}\n" for c in city(PLACE).companies]
    (folder / "filings.yaml").write_text("enterprises:\n" + "".join(filed), encoding="utf-8")


# ── what a store holds ──────────────────────────────────────────────────────────────────────────────────


def pages(store: Store, name: str, first: Any = "") -> Iterable[Any]:
    """Every row of a dump statement."""
    after = first
    while rows := store.engine.rows(name, after, 500):
        yield from rows
        after = rows[-1][0]


def cases(store: Store) -> dict[str, Case]:
    return {row[0]: _case.decode(bytes(row[-1])) for row in pages(store, "dump_cases")}


def waybills(store: Store) -> dict[str, Waybill]:
    return {row[0]: _waybill.decode(bytes(row[-1])) for row in pages(store, "dump_waybills")}


def events(store: Store) -> list[tuple[int, Event]]:
    """Every event of the journal with its inbox id, in order."""
    return [(row[1], event) for row in pages(store, "journal_after", 0)
            for event in _events.decode(store.vault.stretch(bytes(row[-1])))]


def postings(store: Store) -> list[tuple[Any, ...]]:
    made: list[tuple[Any, ...]] = []
    after: tuple[Any, ...] = ("", -1, "")
    while rows := store.engine.rows("dump_postings", *after, 500):
        made += [tuple(row) for row in rows]
        after = tuple(rows[-1][:3])
    return made


def quota(store: Store) -> dict[str, int]:
    return {f"{year}/{bytes(buyer).hex()}": held for buyer, year, held in store.engine.rows("dump_quota")}


def canonical(store: Store) -> dict[str, Any]:
    """What a store holds, without what may differ between two good runs: numbers, moments, order of commits."""
    made: dict[str, Any] = {"cases": {}, "waybills": {}}
    for key, case in cases(store).items():
        inventory, bill = case.inventory, case.bill
        made["cases"][key] = {
            "state": case.state,
            "order": case.order and (case.order.guid, case.order.status),
            "payments": [(p.guid, p.status) for p in case.payments],
            "inventory": inventory and (inventory.guid, inventory.status, bool(inventory.invtNo)),
            "held": case.hold and case.hold.amount_fen,
            "bill": bill and (bill.status, bill.duty, bill.vat, bill.consumption, bill.lines),
            "cancels": [(c.guid, c.status) for c in case.cancels],
            "returns": [(r.guid, r.status) for r in case.returns],
            "past": [(p.copNo, p.status) for p in case.past],
        }
    for key, waybill in waybills(store).items():
        made["waybills"][key] = (waybill.part and (waybill.part.guid, waybill.part.status), waybill.case,
                                 waybill.signed_for and waybill.signed_for.status)
    made["quota"] = quota(store)
    made["books"] = Counter((kind, account, fen) for _, _, kind, account, fen in postings(store))
    made["receipts"] = Counter(receipt for _, event in events(store) for receipt in event.receipts)
    made["totals"] = store.totals()
    return made


def assert_sound(store: Store) -> None:
    """The invariants that hold whatever happened: nothing waits, books add up, numbers are unique, rebuild equal."""
    from cebport.server.rebuild import check

    assert store.open_counts() == (0, 0)
    assert store.engine.rows("claimers") == []
    held: dict[str, int] = {}
    for _, _, _, account, fen in postings(store):
        if account.startswith("quota/"):
            account = account.removeprefix("quota/")
            held[account] = held.get(account, 0) + fen
    assert {account: fen for account, fen in held.items() if fen} == quota(store)
    assert all(fen <= 2_600_000 for fen in quota(store).values())
    numbers = [number for case in cases(store).values() if case.inventory is not None
               for number in (case.inventory.invtNo, case.inventory.preNo, case.bill.taxNo if case.bill else "")
               if number]
    assert len(numbers) == len(set(numbers))
    report = check(store)
    assert report.differences == []


def receipts_in(folder: Path) -> dict[str, bytes]:
    """Receipt files by receiver/name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.xml"))}


# ── runs as processes of their own ──────────────────────────────────────────────────────────────────────

RUNNER = """
import sys, json, logging, threading
from pathlib import Path
logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
import msgspec
from cebport.server.run import clear
from cebport.server.settings import Settings
from cebport.values import parse_time

peaks = {}

def watch(me, over):
    # the most memory that this process and its workers ever held, in KiB
    while True:
        children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        for pid in [str(me), *children]:
            try:
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        peaks[pid] = int(line.split()[1])
            except OSError:
                pass
        if over.wait(0.03):
            return

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    settings = msgspec.convert(asked["settings"], Settings)
    import os
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(os.getpid(), over))
    watcher.start()
    try:
        ran = clear([Path(p) for p in asked["paths"]], settings, on=parse_time(asked["on"]))
    finally:
        over.set()
        watcher.join()
    print(json.dumps({"peak_kib": max(peaks.values())}))
    print(json.dumps(ran.totals))
"""


def spawn_clear(home: Home, of: Path, paths: Iterable[Path], *, on: str = "2026-11-24T10:00:00",
                log: Path | None = None, **more: Any) -> subprocess.Popen[str]:
    """The run in a process of its own, whose last line of output is the totals. log: where its words go."""
    script = home.folder / "runner.py"
    script.write_text(RUNNER, encoding="utf-8")
    asked = {"settings": msgspec.to_builtins(home.settings(of, **more)), "paths": [str(p) for p in paths], "on": on}
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    arguments = [sys.executable, str(script), json.dumps(asked)]
    if log is None:
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=environment, cwd=home.folder)
    with log.open("wb") as words:
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=words, text=True, env=environment,
                                cwd=home.folder)


def children_of(pid: int) -> list[int]:
    """Worker processes of a run (not its helper process)."""
    found = []
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    for child in map(int, listed):
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
        except FileNotFoundError:
            continue
    return found
