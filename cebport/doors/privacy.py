"""Personal data under somebody's hand (个人信息): open a message, shred a person, change keys.

Opening and shredding are recorded acts of a named person for a reason (table ``access``). An identity number
never stands on a command line, where every process could read it: it is asked for, or read from standard input.
"""

from __future__ import annotations

import getpass
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cebport.doors import frame, screen
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.doors.walk import opened

who_option = option("--who", required=True, metavar="NAME")
reason_option = option("--reason", required=True, metavar="TEXT")


def _now() -> datetime:
    from cebport.values import BEIJING

    return datetime.now(BEIJING)


@frame.command("open")
@click.argument("message", type=frame.Number(1), metavar="MESSAGE")
@frame.store_option
@who_option
@reason_option
@frame.keys_option
@frame.out_option
def open_command(message: int, store: str, who: str, reason: str, keys: Path | None, out: Path | None) -> int:
    """The verbatim bytes of one archived message, the act recorded first; exit code 1 when there is none."""
    from cebport.server.shred import open_archive

    with opened(store, keys) as held:
        try:
            raw = open_archive(held, message, who, reason, _now())
        except KeyError:
            screen.note(say("no_message", number=message))
            return NO
    frame.write_answer(raw, out, f"{message}.xml", several=False)
    return DONE


@frame.command("shred")
@frame.store_option
@who_option
@reason_option
@frame.keys_option
@frame.json_option
def shred_command(store: str, who: str, reason: str, keys: Path | None, as_json: bool) -> int:
    """Mask one person's values in every archived message; exit code 1 when nothing of theirs was found."""
    from cebport.server.shred import shred

    number = _identity()
    with opened(store, keys) as held:
        done = shred(held, number, who, reason, _now())
    if as_json:
        screen.emit(done._asdict())
    else:
        screen.out(say("shredded", messages=done.messages, documents=done.documents))
        if done.unsearched:
            screen.note(say("shred_unsearched", count=done.unsearched))
    return DONE if done.documents else NO


def _identity() -> str:
    """The identity number, from the terminal without showing it, or the first line of standard input."""
    ask = sys.stdin.isatty()
    number = (getpass.getpass(say("ask_identity")) if ask else sys.stdin.readline()).strip()
    if not number:
        raise click.UsageError(say("no_identity"))
    return number


@frame.command("keys")
@click.argument("act", type=frame.Choice(("master", "hash", "rewrap", "retire")), metavar="master|hash|rewrap|retire")
@frame.store_option
@frame.keys_option
@frame.json_option
def keys_command(act: str, store: str, keys: Path | None, as_json: bool) -> int:
    """A fresh key in front; what is stored under the newest one; older ones out of the file."""
    from cebport.server.store.store import default_keys
    from cebport.server.vault import Vault

    file = keys or default_keys(frame.existing_store(store))
    if not file.exists():
        raise click.UsageError(say("no_such_file", path=file))
    Vault.open(file)
    answer: dict[str, Any] = {"keys": str(file), "act": act, "ids": [], "rows": 0}
    answer |= _changed(act, store, file)
    if as_json:
        screen.emit(answer)
    else:
        screen.out(say(f"keys_{act}", keys=file, ids=", ".join(answer["ids"]) or "-", rows=answer["rows"]))
    return DONE


def _changed(act: str, store: str, file: Path) -> dict[str, Any]:
    """What was done: ids of keys made or ended, how many rows were wrapped anew."""
    from cebport.server.shred import rewrap
    from cebport.server.vault import retire, rotate

    if act in ("master", "hash"):
        return {"ids": [rotate(file, act)]}
    rows = 0
    with opened(store, file) as held:
        while done := rewrap(held):
            rows += done
    return {"rows": rows, "ids": retire(file) if act == "retire" else []}
