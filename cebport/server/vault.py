"""Personal data at rest (个人信息保护): sealed in the archive, hashed and masked everywhere else.

- Every archived message is sealed with a data key of its own (AES-256-GCM); the data key is wrapped by the
  master key. A new master key re-wraps data keys only; losing a data key loses one message (crypto-shredding).
- Values are compared by keyed hashes (BLAKE2b, 16 bytes). While the hash key changes, hashes by the key
  before are carried along, so that documents from before and after still meet.
- Keys live in a file of their own (mode 0600), never in the store: {"master": [...], "hash": [...]}, newest
  first, each {"id", "secret" (base64, 32 bytes)}.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cebport.faults import Malformed, SettingsError

NONCE_BYTES = 12
KEY_BYTES = 32
HASH_BYTES = 16


class Sealed(NamedTuple):
    """An archived message: which master key wrapped the data key, the wrapped data key, the cipher text."""

    key_id: str
    wrapped: bytes
    blob: bytes


class Vault:
    """The keys of one store and what is done with them."""

    def __init__(self, master: list[tuple[str, bytes]], hashing: list[tuple[str, bytes]], path: Path | None) -> None:
        import zstandard

        self.path = path
        self._masters = {key_id: AESGCM(secret) for key_id, secret in master}
        self.key_id = master[0][0]
        self._master = self._masters[self.key_id]
        self._outboxes = [
            AESGCM(blake2b(b"outbox", key=secret, digest_size=KEY_BYTES).digest()) for _, secret in master]
        self._outbox = self._outboxes[0]
        self.hash_key = hashing[0][1]
        self.hash_keys_before = tuple([secret for _, secret in hashing[1:]])
        self._squeeze = zstandard.ZstdCompressor(level=1)
        self._stretch = zstandard.ZstdDecompressor()

    @classmethod
    def open(cls, path: Path) -> Vault:
        """The vault of a key file; a fresh file is made, readable by its owner alone, where none is yet.

        Raises SettingsError when the file cannot be read as keys.
        """
        try:
            if not path.exists():
                _write_keys(path, {"master": [_fresh("m1")], "hash": [_fresh("h1")]}, first=True)
            held = json.loads(path.read_text())
            master = [(row["id"], b64decode(row["secret"])) for row in held["master"]]
            hashing = [(row["id"], b64decode(row["secret"])) for row in held["hash"]]
            if not master or not hashing or any(len(secret) != KEY_BYTES for _, secret in master + hashing):
                raise ValueError("each key has 32 bytes")
            return cls(master, hashing, path)
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            raise SettingsError(note=f"key file {path}: {wrong}") from wrong

    def seal(self, raw: bytes) -> Sealed:
        """Compress and encrypt a message under a data key of its own."""
        secret = os.urandom(KEY_BYTES)
        nonce = os.urandom(NONCE_BYTES)
        blob = nonce + AESGCM(secret).encrypt(nonce, self._squeeze.compress(raw), None)
        return Sealed(self.key_id, self._wrap(secret), blob)

    def _wrap(self, secret: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, secret, None)

    def _unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        if key_id not in self._masters:
            raise SettingsError(note=f"master key {key_id} is not in {self.path}")
        try:
            return self._masters[key_id].decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], None)
        except InvalidTag as wrong:
            raise SettingsError(note=f"master key {key_id} in {self.path} is not the key of this store") from wrong

    def unseal(self, key_id: str, wrapped: bytes, blob: bytes) -> bytes:
        """The message as it came. Raises SettingsError when the keys are not this store's, Malformed when the
        archived bytes are damaged."""
        secret = self._unwrap(key_id, bytes(wrapped))
        try:
            packed = AESGCM(secret).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as wrong:
            raise Malformed(note="the archived message is damaged: its seal does not fit") from wrong
        return self._stretch.decompress(packed)

    def rewrap(self, key_id: str, wrapped: bytes) -> tuple[str, bytes]:
        """The data key under the newest master key."""
        return self.key_id, self._wrap(self._unwrap(key_id, bytes(wrapped)))

    def hide(self, payload: bytes) -> bytes:
        """An outbox payload until it is sent."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._outbox.encrypt(nonce, self._squeeze.compress(payload), None)

    def show(self, hidden: bytes) -> bytes:
        """The payload again."""
        for key in self._outboxes:
            try:
                return self._stretch.decompress(key.decrypt(hidden[:NONCE_BYTES], hidden[NONCE_BYTES:], None))
            except InvalidTag:
                continue
        raise SettingsError(note=f"no key in {self.path} opens the outbox of this store")

    def is_newest(self, hidden: bytes) -> bool:
        """Whether an outbox payload is hidden by the newest key."""
        try:
            self._outbox.decrypt(hidden[:NONCE_BYTES], hidden[NONCE_BYTES:], None)
        except InvalidTag:
            return False
        return True

    def squeeze(self, data: bytes) -> bytes:
        """Compressed, for what holds no personal data (the journal)."""
        return self._squeeze.compress(data)

    def stretch(self, data: bytes) -> bytes:
        """The reverse of ``squeeze``."""
        return self._stretch.decompress(data)

    def hash_of(self, value: str) -> bytes:
        """The keyed hash of a value, 16 bytes."""
        return blake2b(value.encode(), digest_size=HASH_BYTES, key=self.hash_key).digest()

    def hash_before(self, value: str) -> bytes:
        """The hashes by older keys, newest first, one behind the other; b"" while there was only one key."""
        raw = value.encode()
        return b"".join([blake2b(raw, digest_size=HASH_BYTES, key=key).digest() for key in self.hash_keys_before])


def rotate(path: Path, which: str) -> str:
    """Put a fresh key of kind "master" or "hash" in front; older ones stay for what they sealed. Gives its id."""
    held: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
    number = 1 + max(int(str(row["id"])[1:]) for row in held[which])
    row = _fresh(f"{which[0]}{number}")
    held[which].insert(0, row)
    _write_keys(path, held)
    return str(row["id"])


def retire(path: Path) -> list[str]:
    """Take every master key but the newest out of the key file; gives their ids. What they still wrap is lost:
    first ``cebport.server.shred.rewrap`` until nothing is left under them, with no worker still running that began
    before the newest key was made."""
    held: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
    ended = [str(row["id"]) for row in held["master"][1:]]
    held["master"] = held["master"][:1]
    _write_keys(path, held)
    return ended


def _fresh(key_id: str) -> dict[str, str]:
    return {"id": key_id, "secret": b64encode(os.urandom(KEY_BYTES)).decode()}


def _write_keys(path: Path, keys: dict[str, Any], *, first: bool = False) -> None:
    """Put the keys on disk, whole or not at all. ``first``: keys that another process made meanwhile stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + f".{os.getpid()}.{os.urandom(4).hex()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as out:
            json.dump(keys, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        if first:
            with suppress(FileExistsError):
                os.link(fresh, path)
        else:
            os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
