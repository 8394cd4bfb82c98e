"""cebport: the open platform for China's cross-border e-commerce imports (跨境电商零售进口).

The library in one import; everything is loaded when it is first used::

    from cebport import parse, write, check, sign, verify, wrap, unwrap, tax

    message, faults = parse(raw)          # bytes -> Message and everything that is wrong
    faults = check(message)               # the rule level
    verdict = verify(raw, trust)          # whose signature, strict or by which repairs
    answer = tax({"on": "2026-11-24", "lines": [{"gcode": "4202119090", "qty": "1", "total_price": "500"}]})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Fault", "Malformed", "Message", "Policy", "TrustStore", "check", "parse", "sign", "tax", "unwrap",
           "verify", "wrap", "write"]

if TYPE_CHECKING:  # for type checkers only: the same names as in _HOMES
    from cebport.clearance.quote import reckon as tax
    from cebport.faults import Fault, Malformed
    from cebport.messages.documents import Message
    from cebport.messages.envelope import unwrap, wrap
    from cebport.messages.rules import check
    from cebport.messages.signature import sign, verify
    from cebport.messages.trust import TrustStore
    from cebport.messages.wire import parse, write
    from cebport.policy import Policy

_HOMES = {  # name -> module, or module:name where it is called otherwise there
    "parse": "cebport.messages.wire",
    "write": "cebport.messages.wire",
    "check": "cebport.messages.rules",
    "sign": "cebport.messages.signature",
    "verify": "cebport.messages.signature",
    "wrap": "cebport.messages.envelope",
    "unwrap": "cebport.messages.envelope",
    "Message": "cebport.messages.documents",
    "tax": "cebport.clearance.quote:reckon",
    "Policy": "cebport.policy",
    "TrustStore": "cebport.messages.trust",
    "Fault": "cebport.faults",
    "Malformed": "cebport.faults",
}


if not TYPE_CHECKING:  # hidden from them, so that they refuse a name that is none

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'cebport' has no attribute {name!r}")
        import importlib

        module, _, attribute = home.partition(":")
        value = getattr(importlib.import_module(module), attribute or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
