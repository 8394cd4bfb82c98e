"""Commands about messages (报文): check, verify, sign, doctor, wrap, unwrap.

Each takes files and folders, opens DXP envelopes by itself, and answers a line a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cebport.doors import frame, screen
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.faults import Fault, Malformed, SettingsError, is_valid

if TYPE_CHECKING:
    from cebport.messages.envelope import Envelope
    from cebport.messages.keys import Signer
    from cebport.messages.signature import Verdict
    from cebport.messages.wire import Tree

SCHEMAS = ("2022-05", "2016-08")
LEVELS = ("schema", "rules")
ALGORITHMS = ("rsa-sha1", "rsa-sha256", "sm2-sm3", "sm2-sm3-sha1")
NATIONAL = "national"
WRONG_PASSWORD = "CEB-SIGN-068"
PASSWORD, PIN = "CEBPORT_PASSWORD", "CEBPORT_PIN"


def bytes_of(path: Path) -> bytes:
    """The file, or as much of it as shows that it is larger than any message or envelope may be."""
    from cebport.messages.envelope import ENVELOPE_BYTES_MAX

    with path.open("rb") as source:
        return source.read(ENVELOPE_BYTES_MAX + 1)


# ── check ───────────────────────────────────────────────────────────────────────────────────────────


class Checked(NamedTuple):
    """What is wrong with one file; ``message`` is its kind, None when it is no message."""

    file: Path
    message: str | None
    faults: list[Fault]

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; its schema is docs/reference/schemas/check.json."""
        return {"file": str(self.file), "message": self.message, "valid": is_valid(self.faults),
                "faults": [fault.as_dict() for fault in self.faults]}


def check_file(path: Path, schema: str, level: str, practice: Mapping[str, Any], now: datetime) -> Checked:
    """Everything that is wrong with a file, whatever is in it. Raises OSError when it cannot be read."""
    from cebport.messages import envelope, wire

    message: str | None = None
    found: list[Fault] = []
    try:
        with path.open("rb") as source:
            head = source.read(envelope.HEAD_BYTES)
        if path.stat().st_size > wire.LIMITS.bytes_max and not envelope.is_envelope(head):
            scanned = wire.scan(path)
            return Checked(path, scanned.type or None, scanned.faults)
        opened = envelope.unwrap(bytes_of(path))
        found += opened.faults
        tree = wire.parse_tree(opened.payload)
        message = tree.type
        faults = wire.schema_faults(tree, schema)
        if tree.shape.receipt:
            faults = wire.soften(faults)
        found += faults
        if level == "rules":
            found += _rule_faults(tree, faults, schema, practice, now)
    except Malformed as malformed:
        found += malformed.faults
    return Checked(path, message, found)


def _rule_faults(tree: Tree, faults: list[Fault], schema: str, practice: Mapping[str, Any],
                 now: datetime) -> list[Fault]:
    """What the field rules say of the documents that fit the schema, and which ones were not looked at."""
    from cebport.messages import rules, wire
    from cebport.values import beijing_day

    day = beijing_day(now)
    if is_valid(faults):
        return rules.check(wire.message_of(tree, schema), practice, day, now)
    found: list[Fault] = []
    numbers: tuple[int, ...] = ()
    if (part := wire.readable(tree, faults, schema)) is not None:
        message, numbers = part
        root_is_bad = any(fault.code in wire.ROOT_CODES for fault in faults)
        found += [fault for fault in rules.check(message, practice, day, now, numbers=numbers)
                  if not (root_is_bad and fault.path.startswith("@"))]
    return [*found, *wire.unjudged(tree, numbers)]


def practice_of(profile: str | None, now: datetime) -> Mapping[str, Any]:
    """How the rules weigh under a profile. Raises UsageError for a profile that is none.

    The national practice leaves the rules as their catalog weighs them (a test holds the tables to that), so
    the tables of the law, which take a tenth of a second to read, stay closed for it.
    """
    if profile in (None, NATIONAL):
        return {}
    from cebport.policy import Policy
    from cebport.values import beijing_day

    policy = Policy.load()
    if profile not in policy.profiles:
        raise click.UsageError(
            f"--profile: {say('not_a_choice', value=profile, choices=', '.join(policy.profiles))}")
    practice: Mapping[str, Any] = policy.at(beijing_day(now), profile=profile).practice
    return practice


@frame.command("check")
@frame.paths_argument
@option("--schema", type=frame.Choice(SCHEMAS), default=SCHEMAS[0])
@option("--level", type=frame.Choice(LEVELS), default="rules")
@option("--profile", metavar="NAME")
@frame.on_option
@frame.json_option
def check_command(paths: tuple[Path, ...], schema: str, level: str, profile: str | None, on: datetime | None,
                  as_json: bool) -> int:
    """Check messages: a line a file."""
    moment = _now(on)
    practice = practice_of(profile, moment) if level == "rules" else {}
    files = frame.files_of(paths)
    valid = 0
    with screen.progress(say("files"), len(files), quiet=len(files) < 20) as step:
        for path in files:
            checked = check_file(path, schema, level, practice, moment)
            valid += is_valid(checked.faults)
            if as_json:
                screen.emit(checked.as_dict())
            else:
                _show_checked(checked)
            step(1)
    if not as_json and len(files) > 1:
        screen.out(say("checked", files=len(files), valid=valid, invalid=len(files) - valid))
    return DONE if valid == len(files) else NO


def _show_checked(checked: Checked) -> None:
    good = is_valid(checked.faults)
    result = say("valid") if good else say("invalid")
    if good and checked.faults:
        result = say("warnings_only", count=len(checked.faults))
    result = screen.coloured(result, "32" if good else "31")
    screen.out(f"{checked.file}  {checked.message or say('not_a_message')}  {result}")
    screen.faults(checked.faults)


def _now(on: datetime | None) -> datetime:
    from cebport.values import BEIJING

    return on if on is not None else datetime.now(BEIJING)


# ── verify ──────────────────────────────────────────────────────────────────────────────────────────


@frame.command("verify")
@frame.paths_argument
@frame.trust_option
@frame.on_option
@frame.json_option
def verify_command(paths: tuple[Path, ...], trust: tuple[Path, ...], on: datetime | None, as_json: bool) -> int:
    """Verify signatures: a line a file."""
    from cebport.messages.trust import TrustStore

    store = TrustStore.load(trust) if trust else None
    moment = _now(on) if on is not None or trust else None
    files = frame.files_of(paths)
    strict = 0
    with screen.progress(say("files"), len(files), quiet=len(files) < 20) as step:
        for path in files:
            verdict = _verdict_of(path, store, moment)
            strict += verdict.verdict == "strict"
            if as_json:
                screen.emit({"file": str(path), **verdict.as_dict()})
            else:
                _show_verdict(path, verdict)
            step(1)
    if not as_json and len(files) > 1:
        screen.out(say("verified", files=len(files), strict=strict))
    return DONE if strict == len(files) else NO


def _verdict_of(path: Path, store: Any, moment: datetime | None) -> Verdict:
    from cebport.messages import envelope, signature

    try:
        payload = envelope.unwrap(bytes_of(path)).payload
    except Malformed as malformed:
        return signature.Verdict("refused", faults=tuple(malformed.faults))
    return signature.verify(payload, store, moment)


def _show_verdict(path: Path, verdict: Verdict) -> None:
    good = verdict.verdict == "strict"
    said = screen.coloured(say(f"verdict.{verdict.verdict}"), "32" if good else "31")
    screen.out(f"{path}  {verdict.verdict}  {said}")
    for key, value in (("algorithm", verdict.algorithm), ("key_name", verdict.key_name),
                       ("subject", verdict.subject), ("repairs", ", ".join(verdict.repairs))):
        if value:
            screen.out(f"    {screen.label(key)}{value}")
    screen.faults(verdict.faults)


# ── sign ────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("sign")
@frame.paths_argument
@option("--key", type=frame.file_type, metavar="FILE")
@option("--cert", type=frame.file_type, metavar="FILE")
@option("--pkcs12", type=frame.file_type, metavar="FILE")
@option("--pkcs11", type=frame.file_type, metavar="MODULE")
@option("--token", metavar="NAME")
@option("--label", metavar="NAME")
@option("--algorithm", type=frame.Choice(ALGORITHMS))
@option("--password", is_flag=True)
@frame.out_option
@frame.json_option
def sign_command(paths: tuple[Path, ...], key: Path | None, cert: Path | None, pkcs12: Path | None,
                 pkcs11: Path | None, token: str | None, label: str | None, algorithm: str | None, password: bool,
                 out: Path | None, as_json: bool) -> int:
    """Sign messages with one key."""
    from cebport.messages.signature import sign

    if sum(source is not None for source in (key, pkcs12, pkcs11)) != 1:
        raise click.UsageError(say("need_one_key"))
    files = frame.files_of(paths)
    if len(files) > 1 and (out is None or out.is_file()):
        raise click.UsageError(say("many_need_folder"))
    signer = _signer_of(key or pkcs12, cert, pkcs11, token, label, algorithm, ask=password)
    code = DONE
    with screen.progress(say("files"), len(files), quiet=len(files) < 20) as step:
        for path in files:
            try:
                signed = sign(bytes_of(path), signer, algorithm=algorithm)
            except Malformed as malformed:
                code = NO
                _say_broken(path, malformed, as_json=as_json and out is not None)
                continue
            target = frame.write_answer(signed, out, path.name, several=len(files) > 1)
            _say_done("signed", {"file": str(path), "out": target and str(target),
                                 "algorithm": algorithm or signer.algorithm, "key_name": signer.key_name,
                                 "faults": []}, path=target or path, as_json=as_json and target is not None)
            step(1)
    return code


def _signer_of(key: Path | None, cert: Path | None, pkcs11: Path | None, token: str | None, label: str | None,
               algorithm: str | None, *, ask: bool) -> Signer:
    """The signer that the options name; a password is asked for only where one is needed. Raises SettingsError."""
    from cebport.messages.keys import Pkcs11Signer, load_signer

    if pkcs11 is not None:
        if not token or not label:
            raise click.UsageError(say("need_token"))
        pin = _secret(PIN, say("ask_pin"), ask=ask)
        certificate = cert.read_bytes() if cert is not None else None
        return Pkcs11Signer.open(pkcs11, token=token, pin=pin, label=label, certificate=certificate,
                                 algorithm=algorithm)
    assert key is not None, "one of the three is given"
    secret = _secret(PASSWORD, say("ask_password"), ask=True) if ask else os.environ.get(PASSWORD)
    try:
        return load_signer(key, cert, password=secret, algorithm=algorithm)
    except SettingsError as refused:
        sealed = any(fault.code == WRONG_PASSWORD for fault in refused.faults)
        if not sealed or secret is not None or not _terminal():
            raise
    return load_signer(key, cert, password=_secret(PASSWORD, say("ask_password"), ask=True), algorithm=algorithm)


def _terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _secret(variable: str, prompt: str, *, ask: bool) -> str:
    held = None if ask else os.environ.get(variable)
    return held if held is not None else str(click.prompt(prompt, hide_input=True, err=True))


def _say_done(phrase: str, answer: dict[str, Any], *, as_json: bool, **values: object) -> None:
    if as_json:
        screen.emit(answer)
    else:
        screen.note(say(phrase, **{**answer, **values}))


def _say_broken(path: Path, malformed: Malformed, *, as_json: bool) -> None:
    if as_json:
        screen.emit({"file": str(path), "out": None, "faults": [fault.as_dict() for fault in malformed.faults]})
        return
    screen.note(f"{path}  {say('invalid')}")
    screen.faults_noted(malformed.faults)


# ── doctor ──────────────────────────────────────────────────────────────────────────────────────────


@frame.command("doctor")
@frame.paths_argument
@frame.trust_option
@option("--reference", type=frame.file_type, metavar="FILE")
@frame.on_option
@frame.json_option
def doctor_command(paths: tuple[Path, ...], trust: tuple[Path, ...], reference: Path | None, on: datetime | None,
                   as_json: bool) -> int:
    """Say why signatures fail; exit code 1 when one does."""
    from cebport.messages.doctor import doctor
    from cebport.messages.trust import TrustStore

    store = TrustStore.load(trust) if trust else None
    moment = _now(on) if on is not None or trust else None
    right = reference.read_bytes() if reference is not None else None
    code = DONE
    for number, path in enumerate(frame.files_of(paths)):
        diagnosis = doctor(_payload_of(path), store, moment, screen.language(), reference=right)
        if diagnosis.verdict.verdict != "strict" or diagnosis.causes:
            code = NO
        if as_json:
            screen.emit({"file": str(path), **diagnosis.as_dict()})
        else:
            screen.out(f"{chr(10) if number else ''}{path}\n{diagnosis.text(screen.language())}".rstrip("\n"))
    return code


def _payload_of(path: Path) -> bytes:
    """The message in an envelope, or the file as it is where no envelope opens: the doctor says why."""
    from cebport.messages import envelope

    raw = bytes_of(path)
    try:
        return envelope.unwrap(raw).payload
    except Malformed:
        return raw


# ── wrap, unwrap ────────────────────────────────────────────────────────────────────────────────────


@frame.command("wrap")
@frame.paths_argument
@option("--sender", metavar="DXPID")
@option("--receiver", multiple=True, metavar="DXPID")
@option("--id", metavar="TEXT")
@frame.on_option
@frame.out_option
@frame.json_option
def wrap_command(paths: tuple[Path, ...], sender: str | None, receiver: tuple[str, ...], id: str | None,
                 on: datetime | None, out: Path | None, as_json: bool) -> int:
    """Put messages into envelopes."""
    from cebport.messages import envelope

    files = frame.files_of(paths)
    if len(files) > 1 and (out is None or out.is_file()):
        raise click.UsageError(say("many_need_folder"))
    receivers = list(receiver) or [envelope.IMPORT_CENTRE]
    code = DONE
    for path in files:
        raw = bytes_of(path)
        try:
            kind, dxp_id, guid = _sender_of(raw)
            wrapped = envelope.wrap(
                raw, message_type=kind, sender=_need_sender(path, sender or dxp_id), receivers=receivers,
                cop_msg_id=id or guid, created_at=_now(on), file_name=path.name)
        except Malformed as malformed:
            code = NO
            _say_broken(path, malformed, as_json=as_json and out is not None)
            continue
        target = frame.write_answer(wrapped, out, path.name, several=len(files) > 1)
        _say_done("wrapped", {"file": str(path), "out": target and str(target), "kind": "DxpMsg", "message": kind,
                              "cop_msg_id": id or guid, "sender": sender or dxp_id, "receivers": receivers,
                              "faults": []},
                  path=target or path, as_json=as_json and target is not None)
    return code


def _sender_of(raw: bytes) -> tuple[str, str, str]:
    """(message type, dxpId, an id made from the bytes). Raises Malformed for what is no message."""
    import hashlib

    from cebport.messages import wire
    from cebport.messages.shape import NAMESPACE
    from cebport.values import guid_from

    tree = wire.parse_tree(raw)
    dxp_id = tree.root.findtext(f"{{{NAMESPACE}}}BaseTransfer/{{{NAMESPACE}}}dxpId") or ""
    return tree.type, dxp_id.strip(), guid_from("CopMsgId", hashlib.sha256(raw).hexdigest())


def _need_sender(path: Path, sender: str) -> str:
    if not sender:
        raise click.UsageError(say("no_sender", path=path))
    return sender


@frame.command("unwrap")
@frame.paths_argument
@frame.out_option
@frame.json_option
def unwrap_command(paths: tuple[Path, ...], out: Path | None, as_json: bool) -> int:
    """Open envelopes; exit code 1 when the exchange would refuse one."""
    files = frame.files_of(paths)
    if len(files) > 1 and out is not None and out.is_file():
        raise click.UsageError(say("many_need_folder"))
    code = DONE
    for path in files:
        raw = bytes_of(path)
        answer, payload, found = _opened(path, raw)
        several = len(files) > 1
        if payload is not None and (out is not None or not (as_json or several)):
            target = frame.write_answer(payload, out, path.name, several=several)
            answer["out"] = None if target is None else str(target)
        if as_json:
            screen.emit({**answer, "faults": [fault.as_dict() for fault in found]})
        else:
            _show_opened(path, answer, found)
        if not is_valid(found):
            code = NO
    return code


def _opened(path: Path, raw: bytes) -> tuple[dict[str, Any], bytes | None, Iterable[Fault]]:
    """The answer about an envelope, its payload, its faults. An answer of the exchange has no payload."""
    from cebport.messages import envelope, wire

    answer: dict[str, Any] = {"file": str(path), "out": None, "kind": "", "message": "", "cop_msg_id": "",
                              "sender": "", "receivers": [], "created_at": "", "signed": False, "bytes": 0,
                              "answers": []}
    try:
        opened = envelope.unwrap(raw)
        if opened.kind == "bare" and _is_answer(raw):
            answer["kind"] = "DxpRep"
            answer["answers"] = [_answer_of(each) for each in envelope.read_answer(raw)]
            return answer, None, ()
        if opened.kind == "bare" and len(raw) > wire.LIMITS.bytes_max:
            return answer, None, wire.scan(path).faults
        if opened.kind == "bare":
            opened = opened._replace(message_type=wire.parse_tree(raw).type)
    except Malformed as malformed:
        return answer, None, malformed.faults
    answer.update(_described(opened))
    return answer, opened.payload, opened.faults


def _is_answer(raw: bytes) -> bool:
    import re

    return re.search(rb"<(?:[A-Za-z_][\w.-]*:)?DxpRep[\s>]", raw[:4096]) is not None


def _described(opened: Envelope) -> dict[str, Any]:
    return {"kind": opened.kind, "message": opened.message_type, "cop_msg_id": opened.cop_msg_id,
            "sender": opened.sender, "receivers": list(opened.receivers), "created_at": opened.created_at,
            "signed": opened.signed, "bytes": len(opened.payload)}


def _answer_of(response: Any) -> dict[str, Any]:
    return {"code": response.code, "meaning": {"zh": response.meaning.zh, "en": response.meaning.en},
            "info": response.info, "cop_msg_id": response.cop_msg_id, "sender": response.sender,
            "message": response.message_type}


def _show_opened(path: Path, answer: dict[str, Any], found: Iterable[Fault]) -> None:
    for each in answer["answers"]:
        screen.note(say("answer", path=path, code=each["code"], meaning=each["meaning"][screen.language()],
                        id=each["cop_msg_id"]))
    if answer["kind"] not in ("", "DxpRep"):
        phrase = "bare" if answer["kind"] == "bare" else "unwrapped"
        screen.note(say(phrase, path=path, kind=answer["kind"], message=answer["message"] or say("unknown"),
                        sender=answer["sender"] or say("unknown"), size=answer["bytes"]))
    screen.faults_noted(found)
