"""What the walk asks of the store (存储): deliver, claim, facts, commit, send; the same on both databases.

Nothing here decides. A write is optimistic: every row says which version it was made from, and when another
writer was first the whole transaction is undone with StoreConflict and runs again. What is acknowledged is
on disk: archive and inbox row in one transaction, everything a message changed in another.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import zstandard

from cebport.clearance.parts import PARCEL_STATES, Case, Posting, Tally, Waybill
from cebport.faults import ChannelDown, Malformed, SettingsError, StoreConflict
from cebport.server.store.engines import DAMAGED, Engine, engine_of
from cebport.server.vault import Vault

HEAD_REVISION = "0005"
SCHEMA = "SELECT version_num FROM alembic_version"
CLAIM_BYTES_MAX, FETCH_BYTES_MAX = 16 << 20, 4 << 20
NUMBERS_LEASED = 500
COUNT_SLOTS = 64
NEW, CLAIMED, DONE, POISON = 0, 1, 2, 3
BROKEN = 3
OWED = ("tax/", "paid/")
"""How the accounts begin whose sum is what a guarantor owes: bills, and payments of them."""

encode = msgspec.msgpack.Encoder().encode
_case_decoder = msgspec.msgpack.Decoder(Case)
_waybill_decoder = msgspec.msgpack.Decoder(Waybill)
_tally_decoder = msgspec.msgpack.Decoder(Tally)
_keys_decoder = msgspec.msgpack.Decoder(list[str])


class Route(msgspec.Struct, frozen=True, array_like=True):
    """How a message came: the envelope's kind ("bare", "DxpMsg", "DxpMsgSv"), its id and sender."""

    kind: str = "bare"
    cop_msg_id: str = ""
    sender: str = ""


_route_decoder = msgspec.msgpack.Decoder(Route)


class Delivered(NamedTuple):
    """One arrival: authenticated peer, SHA-256 of the payload, kind (message, timer), name, route, bytes."""

    peer: str
    digest: bytes
    kind: str
    name: str
    route: Route
    received_at: int
    raw: bytes


class Claimed(NamedTuple):
    """One inbox row in a worker's hands."""

    inbox: int
    kind: str
    peer: str
    name: str
    route: Route
    received_at: int
    raw: bytes


class InboxRow(NamedTuple):
    """An inbox row without its bytes. state: 0 new, 1 claimed, 2 done, 3 poison; note says why."""

    inbox: int
    peer: str
    digest: bytes
    kind: str
    name: str
    route: Route
    received_at: int
    state: int
    worker: str
    note: str


class OutboxRow(NamedTuple):
    """Something to send: receipts of one type to one receiver, or (``blob`` None) made from the archive."""

    id: int
    inbox: int
    type: str
    receiver: str
    wrap: int
    documents: int
    created_at: int
    blob: bytes | None


class Writes(NamedTuple):
    """Everything that one transaction changes; versions say what each row was made from."""

    cases: list[tuple[Case, int]]
    waybills: list[tuple[Waybill, int]]
    tallies: list[tuple[Tally, int]]
    keys: list[tuple[str, str, str | None]]
    former: list[tuple[str, str]]
    guards: list[tuple[str, int]]
    quota: list[tuple[bytes, int, int, int | None]]
    postings: list[tuple[Posting, int]]
    journal: list[tuple[int, int, str, str, int, bytes]]
    outbox: list[tuple[int, str, str, int, int, int, bytes | None]]
    timers: list[tuple[str, int, int, list[str]]]
    settled: list[tuple[int, str, int]]
    filings: list[tuple[str, str, str, str, str]]
    again: list[int]
    refusals: list[tuple[str, int]]
    states: dict[str, int]
    """How many parcels more (or fewer) are in each state ("state/<number>")."""


class Store:
    """One process's door to the store."""

    def __init__(self, engine: Engine, vault: Vault, worker: str = "") -> None:
        self.engine, self.vault = engine, vault
        self.worker = worker or f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._slot = crc32(self.worker.encode()) % COUNT_SLOTS
        self._unsure = False
        self._blocks: dict[str, tuple[int, int]] = {}

    @classmethod
    def open(cls, url: str, keys: Path | None = None, *, migrate: bool = True) -> Store:
        """The store of a URL with its key file; brings an older schema up to date.

        keys: default is ``<database file>.keys`` beside an SQLite store, and for PostgreSQL a file in the
        user's state folder. Raises SettingsError (also when the keys are not those of the store), ChannelDown.
        """
        engine = engine_of(url)
        try:
            if migrate and engine.scalar(SCHEMA) != HEAD_REVISION:
                upgrade(engine)
            return cls(engine, _vault_of(engine, keys or default_keys(url)))
        except BaseException:
            engine.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self.engine.close()

    # intake: baton 1 -------------------------------------------------------------------------------

    def deliver(self, arrivals: Sequence[Delivered]) -> list[tuple[int, bool]]:
        """Archive and put into the inbox; (inbox id, whether it is new) for each. Durable on return."""
        sealed = [self.vault.seal(arrival.raw) for arrival in arrivals]
        given: list[tuple[int, bool]] = []
        with self.engine.transaction():
            archive = []
            for arrival, seal in zip(arrivals, sealed, strict=True):
                new = self.engine.rows("deliver", arrival.peer, arrival.digest, arrival.kind, arrival.name,
                                       encode(arrival.route), arrival.received_at)
                if new:
                    given.append((new[0][0], True))
                    archive.append((new[0][0], seal.key_id, seal.wrapped, seal.blob))
                else:
                    given.append((self.engine.rows("delivered", arrival.peer, arrival.digest)[0][0], False))
            self.engine.many("archive", archive)
            new_messages = sum(is_new and arrival.kind != "timer"
                               for arrival, (_, is_new) in zip(arrivals, given, strict=True))
            self._count([("messages", new_messages)])
            for inbox, is_new in given:
                if not is_new:
                    self.engine.rows("send_again", inbox)
        return given

    # the worker's side ---------------------------------------------------------------------------

    def claim(self, count: int) -> list[Claimed]:
        """Up to ``count`` waiting inbox rows, oldest first, now this worker's, with their bytes.

        Fewer when they are large: what is over ``CLAIM_BYTES_MAX`` goes back. A worker holds no other rows than
        those of its last claim, so a claim whose answer was lost is given back first.
        """
        self.engine.hold(self.worker)
        if self._unsure:
            self.release()
        self._unsure = True
        with self.engine.transaction():
            rows = sorted(self.engine.rows("claim", self.worker, count))
        claimed: list[Claimed] = []
        held_bytes = 0
        for (inbox, kind, peer, name, route, received_at, _), sealed in zip(rows, self._seals(rows), strict=False):
            try:
                raw = self.vault.unseal(*sealed)
            except Malformed as damaged:
                self.poison(inbox, str(damaged))
                continue
            held_bytes += len(raw)
            if claimed and held_bytes > CLAIM_BYTES_MAX:
                with self.engine.transaction():
                    self.engine.many("unclaim", [(row[0], self.worker) for row in rows if row[0] >= inbox])
                break
            claimed.append(Claimed(inbox, kind, peer, name, _route_decoder.decode(route), received_at, raw))
        self._unsure = False
        return claimed

    def _seals(self, rows: Sequence[Any]) -> Iterator[tuple[str, bytes, bytes]]:
        """Master key, wrapped data key and cipher text of claimed rows, in their order; a few megabytes at a time."""
        start = 0
        while start < len(rows):
            end, size = start + 1, rows[start][-1]
            while end < len(rows) and (size := size + rows[end][-1]) <= FETCH_BYTES_MAX:
                end += 1
            found = {row[0]: row[1:] for row in self.engine.select("archived", [row[0] for row in rows[start:end]])}
            yield from (found[row[0]] for row in rows[start:end])
            start = end

    def release_dead(self) -> int:
        """Give back what workers claimed that no longer live, on whatever host; how many workers those were."""
        dead = [worker for (worker,) in self.engine.rows("claimers")
                if worker != self.worker and not self.engine.lives(worker)]
        for worker in dead:
            self.release(worker)
        return len(dead)

    def release(self, worker: str = "") -> None:
        """Give back what a worker (default: this one) holds."""
        with self.engine.transaction():
            self.engine.rows("release_claims", worker or self.worker)

    def is_done(self, inbox: int) -> bool:
        """Whether an inbox row needs nothing more."""
        return self.inbox_row(inbox).state >= DONE

    def poison(self, inbox: int, reason: str) -> None:
        """Set a message aside that breaks the code: it stays in the archive, its row says why."""
        with self.engine.transaction():
            self.engine.many("settle_inbox", [(POISON, reason[:1000], inbox, self.worker)])

    def retry_aside(self) -> None:
        """What was set aside waits again: a program that was mended meanwhile can settle it."""
        with self.engine.transaction():
            self.engine.rows("retry_inbox")
            self.engine.rows("retry_outbox")

    def aside(self) -> list[str]:
        """What is set aside, and why: messages that break the code, receipts that cannot be written."""
        messages = [f"message {row} ({name}): {note}" for row, name, note in self.engine.rows("aside_inbox")]
        return messages + [f"receipts {row} ({kind}) of message {inbox}: cannot be written"
                           for row, kind, inbox in self.engine.rows("aside_outbox")]

    def cases(self, keys: Iterable[str]) -> dict[str, Case]:
        """Cases by key; those that are not there are not in the answer."""
        return dict(_decoded(_case_decoder, self.engine.select("cases", keys)))

    def waybills(self, keys: Iterable[str]) -> dict[str, Waybill]:
        """Waybills by key."""
        return dict(_decoded(_waybill_decoder, self.engine.select("waybills", keys)))

    def tallies(self, keys: Iterable[str]) -> dict[str, Tally]:
        """Tallies by key."""
        return dict(_decoded(_tally_decoder, self.engine.select("tallies", keys)))

    def owners(self, keys: Iterable[str]) -> dict[str, str]:
        """Business key -> case key."""
        return dict(self.engine.select("keys", keys))

    def quota(self, buyers: Iterable[bytes]) -> dict[tuple[bytes, int], int]:
        """(buyer, year) -> held fen."""
        return {(bytes(buyer), year): held for buyer, year, held in self.engine.select("quota", buyers)}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One short write transaction."""
        with self.engine.transaction():
            yield

    def commit(self, writes: Writes) -> None:
        """Write everything of one transaction, inside ``transaction``. Raises StoreConflict for the loser."""
        many = self.engine.many
        self._versioned("cases", [
            (f"{c.orderNo}|{c.ebpCode}", c.version, STATE_NUMBERS[c.state], encode(c), before or None)
            for c, before in writes.cases])
        self._versioned("waybills", [
            (f"{w.logisticsNo}|{w.logisticsCode}", w.version, encode(w), before or None)
            for w, before in writes.waybills])
        self._versioned("tallies", [
            (f"{t.copNo}|{t.operatorCode}", t.version, encode(t), before or None) for t, before in writes.tallies])
        self._versioned("keys", writes.keys)
        many("put_former", writes.former)
        if writes.guards and many("guard_cases", sorted(writes.guards)) != len(writes.guards):
            raise StoreConflict(note="a case whose key was taken over is no longer as it was read")
        self._versioned("quota", writes.quota)
        many("post", [(p.document, p.line, p.kind, p.account, p.amount_fen, inbox) for p, inbox in writes.postings])
        self.hold_tax([p for p, _ in writes.postings])
        many("journal", writes.journal)
        many("put_outbox", writes.outbox)
        many("put_timers", [(kind, due, inbox, encode(keys)) for kind, due, inbox, keys in writes.timers])
        many("add_filings", writes.filings)
        plain = [row for row in writes.refusals if not row[0].startswith("~")]
        many("put_refusals", [row for row in writes.refusals if row[0].startswith("~")])
        refused = many("put_refusals", plain)
        self._count([("refusals", refused), ("documents", sum(row[4] for row in writes.journal)),
                     ("receipts", sum(row[4] for row in writes.outbox)), *writes.states.items()])
        for inbox in writes.again:
            self.engine.rows("send_again", inbox)
        settled = [(state, note, inbox, self.worker) for state, note, inbox in writes.settled]
        if many("settle_inbox", settled) != len(settled):
            raise StoreConflict(note="an inbox row is no longer this worker's")

    def _versioned(self, table: str, rows: list[Any]) -> None:
        """Insert what is new (last column None), update what was seen; fewer rows than asked: somebody was first."""
        if not rows:
            return
        fresh = sorted([row[:-1] for row in rows if row[-1] is None])
        held = sorted([row for row in rows if row[-1] is not None])
        done = self.engine.many(f"insert_{table}", fresh) + self.engine.many(f"update_{table}", held)
        if done != len(rows):
            raise StoreConflict(note=f"{table}: {len(rows) - done} rows were changed by another writer")

    def next(self, series: str) -> int:
        """The next number of a series; leased in blocks, so numbers may be left out but never come twice."""
        at, end = self._blocks.get(series, (0, 0))
        if at >= end:
            end = self._lease(series)
            at = end - NUMBERS_LEASED
        self._blocks[series] = (at + 1, end)
        return at

    def _lease(self, series: str) -> int:
        return self.engine.lease(series, NUMBERS_LEASED)

    def forget_leases(self) -> None:
        """After an undone transaction: blocks leased inside it are not ours."""
        self._blocks.clear()

    # dispatch: baton 2 -----------------------------------------------------------------------------

    def outbox(self, count: int, after: int = 0) -> list[OutboxRow]:
        """Unsent rows, oldest first."""
        return [OutboxRow(*row) for row in self.engine.rows("outbox_open", after, count)]

    def mark_sent(self, ids: Sequence[int], state: int = DONE) -> None:
        """These rows are with their receivers (or, ``BROKEN``, cannot be written)."""
        with self.engine.transaction():
            self.engine.many("mark_sent", [(i, state) for i in ids])

    def end_timers(self, ids: Sequence[int]) -> None:
        """These timers have rung."""
        with self.engine.transaction():
            if self.engine.dialect == "sqlite":
                self.engine.many("end_timer", [(i,) for i in ids])
            else:
                self.engine.rows("end_timer", list(ids))

    def inbox_row(self, inbox: int) -> InboxRow:
        """One inbox row as it stands. Raises KeyError when there is none."""
        rows = self.engine.rows("inbox_row", inbox)
        if not rows:
            raise KeyError(inbox)
        number, peer, digest, kind, name, route, received_at, state, worker, note = rows[0]
        return InboxRow(number, peer, bytes(digest), kind, name, _route_decoder.decode(route), received_at, state,
                        worker, note)

    def archived(self, inboxes: Iterable[int]) -> dict[int, bytes]:
        """The verbatim bytes of messages. The caller records the access where a person reads them."""
        return {row[0]: self.vault.unseal(*row[1:]) for row in self.engine.select("archived", inboxes)}

    def record_access(self, at: int, who: str, what: str, reason: str) -> None:
        """Opening personal data is a recorded act."""
        with self.engine.transaction():
            self.engine.rows("record_access", at, who, what, reason)

    # looking -----------------------------------------------------------------------------------------

    def open_counts(self) -> tuple[int, int]:
        """(inbox rows not done, outbox rows not sent)."""
        row = self.engine.rows("open_counts")[0]
        return int(row[0]), int(row[1])

    def prefixed(self, name: str, prefix: str) -> list[Any]:
        """Rows of a key range: every key that begins with ``prefix``."""
        return self.engine.rows(name, prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1))

    def waybills_of(self, number: str) -> list[Waybill]:
        """The waybills of a number, whichever company's."""
        return [waybill for _, waybill in _decoded(_waybill_decoder, self.prefixed("waybill_prefix", f"{number}|"))]

    def tallies_of(self, number: str) -> list[Tally]:
        """The tallies of a copNo, whichever operator's."""
        return [_tally_decoder.decode(blob) for _, blob in self.prefixed("tally_prefix", f"{number}|")]

    def refusal_count(self) -> int:
        """How many documents were not taken."""
        return {name: int(count) for name, count in self.engine.rows("totals")}.get("refusals", 0)

    def totals(self) -> dict[str, int]:
        """Parcels by state, messages, documents, receipts: of the whole store."""
        held = {name: int(count) for name, count in self.engine.rows("totals")}
        states = {state: held.get(f"state/{number}", 0) for state, number in STATE_NUMBERS.items()}
        return {"messages": held.get("messages", 0), "documents": held.get("documents", 0),
                "parcels": sum(states.values()), **states, "receipts": held.get("receipts", 0)}

    @property
    def slot(self) -> int:
        """This worker's row in running totals."""
        return self._slot

    def count_receipts(self, count: int) -> None:
        """So many more receipts, inside a transaction that put them into the outbox by itself."""
        self._count([("receipts", count)])

    def count_message(self) -> None:
        """One more message, inside a transaction that put it into the inbox by itself."""
        self._count([("messages", 1)])

    def hold_tax(self, postings: Iterable[Posting]) -> None:
        """Add what these post to the running sum that each guarantor owes, inside a transaction."""
        held: dict[str, int] = {}
        for posting in postings:
            owner = posting.account
            if owner.startswith(OWED):
                code = owner.partition("/")[2]
                held[code] = held.get(code, 0) + posting.amount_fen
        self.engine.many("add_tax_held", [(code, self._slot, held[code]) for code in sorted(held) if held[code]])

    def _count(self, counts: Iterable[tuple[str, int]]) -> None:
        """Add to the running totals, inside a transaction; a worker has a row of its own, so nobody waits for it."""
        self.engine.many("add_counts", sorted([(name, self._slot, count) for name, count in counts if count]))


STATE_NUMBERS = {state: number for number, state in enumerate(PARCEL_STATES)}
STATE_NAMES = dict(enumerate(PARCEL_STATES))


@contextmanager
def telling_damage() -> Iterator[None]:
    """Inside (or as a decorator) what the store holds is read: what we never wrote so is damage, ChannelDown."""
    try:
        yield
    except (msgspec.DecodeError, zstandard.ZstdError, UnicodeDecodeError) as wrong:
        raise ChannelDown(note=f"{DAMAGED} ({wrong})", is_final=True) from wrong


@telling_damage()
def _decoded(decoder: Any, rows: Iterable[Any]) -> list[tuple[Any, Any]]:
    """(key, record) of (key, blob)."""
    decode = decoder.decode
    return [(key, decode(blob)) for key, blob in rows]


def default_keys(url: str) -> Path:
    """Where the key file of a store lies unless the settings say otherwise."""
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///") + ".keys")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = url.split("@")[-1].split("?")[0].replace("/", "-").replace(":", "-").strip("-")
    return state / "cebport" / f"{name}.keys"


def _vault_of(engine: Engine, keys: Path) -> Vault:
    """The vault of a key file, which must be the store's own: fresh keys for a store that holds something would
    lose what is in it. Raises SettingsError."""
    newest = engine.rows("newest_seal")
    if newest and not keys.exists():
        raise SettingsError(note=f"key file {keys} is missing: without it nobody reads what this store holds")
    vault = Vault.open(keys)
    for key_id, wrapped in newest:
        vault.rewrap(key_id, wrapped)
    return vault


def upgrade(engine: Engine, revision: str = HEAD_REVISION) -> None:
    """Bring the schema to a revision, the newest by default (alembic)."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.upgrading():
        if engine.scalar(SCHEMA) == revision:
            return  # somebody else did it meanwhile
        engine.check_ours()
        database = engine.sqlalchemy()
        try:
            with database.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
        except DBAPIError as wrong:
            raise engine.down(wrong.orig or wrong) from wrong
        except CommandError as wrong:
            raise SettingsError(note=f"store: its schema is not this program's ({wrong})") from wrong
        finally:
            database.dispose()
