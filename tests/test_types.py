"""The types of the library as a user's checker sees them: the package is typed (py.typed), no public name is Any."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

from messages_made import ORDER
from test_signature import NOW, card

import cebport
from cebport import policy

PROGRAM = '''
from datetime import date, datetime
from pathlib import Path
from typing import Any, assert_type

from cebport import (
    Fault, Malformed, Message, Policy, TrustStore, check, parse, sign, tax, unwrap, verify, wrap, write,
)
from cebport.messages.envelope import Envelope
from cebport.messages.keys import Signer, load_signer
from cebport.messages.signature import Verdict
from cebport.policy import View


def sign_file(path: Path, key: Path) -> Verdict:
    signer: Signer = load_signer(key)
    return verify(sign(path.read_bytes(), signer), TrustStore.load([key]))


def send(raw: bytes, signer: Signer, at: datetime) -> bytes:
    message, faults = parse(raw)
    assert_type(message, Message | None)
    assert_type(faults, list[Fault])
    if message is None:
        raise Malformed(*faults)
    assert_type(check(message, now=at), list[Fault])
    signed = sign(write(message), signer, algorithm="rsa-sha256")
    assert_type(signed, bytes)
    return wrap(signed, message_type=message.type, sender="DXPENT0000000001", receivers=["DXPEDCCEB0000002"],
                cop_msg_id=message.guid, created_at=at)


def receive(raw: bytes, trust: TrustStore | None = None) -> tuple[Verdict, list[str]]:
    envelope = unwrap(raw)
    assert_type(envelope, Envelope)
    verdict = verify(envelope.payload, trust)
    assert_type(verdict, Verdict)
    said = [*envelope.faults, *verdict.faults]
    assert_type(said, list[Fault])
    return verdict, [f"{fault.code} {fault.path} {fault.message.zh} {fault.remedy.at('en')}" for fault in said]


def owed(gcode: str, on: date) -> str:
    law = Policy.load()
    assert_type(law, Policy)
    assert_type(law.at(on), View)
    answer = tax({"on": on.isoformat(), "lines": [{"gcode": gcode, "qty": "1", "total_price": "500"}]}, law)
    assert_type(answer, dict[str, Any])
    return str(answer["total"])
'''
WRONG = '''
from cebport import Fault, Policy, TrustStore, check, parse, sign, tax, unwrap, verify, wrap, write
from cebport import pares  # attr-defined
from cebport.policy import Polcy  # attr-defined


def wrong(fault: Fault, trust: TrustStore) -> None:
    parse("text")  # arg-type
    parse(b"")[0].documents  # union-attr
    write(b"")  # arg-type
    check(parse(b"")[0])  # arg-type
    sign(b"", trust)  # arg-type
    verify(b"", None).verdikt  # attr-defined
    wrap(b"")  # call-arg
    unwrap(b"").payload.encode()  # attr-defined
    tax({}, "law")  # arg-type
    Policy.load().at("3302")  # arg-type
    fault.kode  # attr-defined
'''
FAULT = re.compile(r"^(\w+\.py):(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)


def mypy(folder: Path, **programs: str) -> tuple[set[tuple[str, int, str]], str]:
    """What mypy --strict says of a user's programs, outside this repository and its settings: (file, line, code)."""
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", "--no-error-summary",
         *(f"{name}.py" for name in programs)],
        cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {(file, int(line), code) for file, line, code in FAULT.findall(done.stdout)}, done.stdout


def test_a_user_s_program_is_checked_strictly(tmp_path):
    """A good program has no error, every name that is offered is one, and what is wrong is told at its line."""
    names = (f"from cebport import {', '.join(cebport.__all__)}\n"
             f"from cebport.policy import {', '.join(dir(policy))}\n")
    found, said = mypy(tmp_path, program=PROGRAM, names=names, wrong=WRONG)
    expected = {("wrong.py", number, line.split("  # ")[1])
                for number, line in enumerate(WRONG.splitlines(), 1) if "  # " in line}
    assert found == expected, said


def test_the_program_runs(tmp_path):
    """What the types say is what comes: the same program, run."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    program = runpy.run_path(str(tmp_path / "program.py"))
    verdict, said = program["receive"](program["send"](ORDER, card("rsa"), NOW))
    assert (verdict.verdict, said) == ("strict", [])
    assert program["owed"]("4202119090", NOW.date()) == "45.50"
