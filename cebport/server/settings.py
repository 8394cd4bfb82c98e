"""Settings of a window (设置): one TOML file, every key with a default, unknown keys refused.

    store = "sqlite:///cebport.db"      # or postgresql://USER@HOST/DATABASE
    keys = "cebport.keys"               # key file; default beside the store
    profile = "national"
    trust = ["trust.yaml"]
    filings = "filings.yaml"
    receipts = "receipts"
    workers = 2
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from cebport.faults import SettingsError


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a window runs with. Paths are relative to the settings file."""

    store: str = "sqlite:///cebport.db"
    keys: str | None = None
    profile: str = "national"
    """A profile of policy/tables/profiles.yaml, or "place": what each place has on the day."""
    trust: tuple[str, ...] = ()
    filings: str | None = None
    overlays: tuple[str, ...] = ()
    receipts: str = "receipts"
    workers: int = 1
    patience_seconds: int = 120
    """How long a worker waits for a full disk or a lost database before it gives up (nothing is lost then either)."""


def read_settings(path: Path) -> Settings:
    """The settings of a file. Raises SettingsError with the file and what is wrong in it."""
    try:
        held: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        made = msgspec.convert(held, Settings)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise SettingsError(note=f"settings {path}: {wrong}") from wrong
    folder = path.parent

    def beside(name: str) -> str:
        return str(folder / name)

    return msgspec.structs.replace(
        made,
        keys=beside(made.keys) if made.keys else None,
        trust=tuple(beside(name) for name in made.trust),
        filings=beside(made.filings) if made.filings else None,
        overlays=tuple(beside(name) for name in made.overlays),
        receipts=beside(made.receipts),
        store=_store_beside(made.store, folder),
    )


def _store_beside(url: str, folder: Path) -> str:
    file = url.removeprefix("sqlite:///")
    return url if file == url or file.startswith("/") else f"sqlite:///{folder / file}"
