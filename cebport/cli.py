"""The command line (命令行): ``cebport COMMAND``. The module of a command is loaded when it is called.

Exit codes of every command: 0 done or yes, 1 the answer is no or the input is bad, 2 usage, 3 the store or a
channel fails. ``--json`` prints JSON lines whose schemas are in docs/reference/schemas.
"""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

from cebport.doors import frame, screen, words
from cebport.doors.screen import say

HOMES = {
    "check": "letters", "verify": "letters", "sign": "letters", "doctor": "letters", "wrap": "letters",
    "unwrap": "letters", "clear": "walk", "trace": "walk", "rebuild": "walk", "backup": "walk", "restore": "walk",
    "open": "privacy", "shred": "privacy", "keys": "privacy", "generate": "trial", "bench": "trial", "demo": "trial",
    "tax": "tax", "cases": "tax",
    "policy": "law", "whatif": "whatif", "pilots": "pilots",
    "route": "route", "bonded": "parks", "forex": "forex",
    "ledger": "ledger",
}  # fmt: skip
"""Command -> the module of cebport.doors that has it."""


class Doors(click.Group):
    """All commands, in the order in which people meet them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names."""
        return list(HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module loaded now."""
        home = HOMES.get(cmd_name)
        if home is None:
            return None
        module = importlib.import_module(f"cebport.doors.{home}")
        return getattr(module, f"{cmd_name}_command")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was asked for, or a usage error with the nearest names."""
        if args and args[0] not in HOMES:
            frame.no_command(args[0], list(HOMES), ctx)
        return super().resolve_command(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """COMMAND [OPTIONS]."""
        return [words.form(piece, screen.language()) for piece in ("COMMAND", "[OPTIONS]")]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its first line, no module loaded."""
        usage = " ".join(self.collect_usage_pieces(ctx))
        formatter.write(f"{say('usage')}cebport {usage}\n\n{say('about')}\n\n{say('commands')}\n")
        for name in HOMES:
            first = screen.spoken(words.COMMANDS[name]).split("\n\n")[0]
            formatter.write(frame.hung(f"  {name:<10}{first}", " " * 12))
        formatter.write(f"\n{say('more')}\n")


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from cebport import __version__

        screen.out(f"cebport {__version__}")
        ctx.exit()


group = Doors(
    "cebport",
    params=[
        frame.Option(["--lang"], type=frame.Choice(screen.LANGUAGES), expose_value=False),
        frame.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version),
    ],
    no_args_is_help=True,
)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    return frame.run(group, arguments)


def main() -> NoReturn:
    """The program: ``cebport`` and ``python -m cebport``."""
    code = run(sys.argv[1:])
    sys.exit(code)
