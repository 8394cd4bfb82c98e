"""The commands of ``cebport`` (命令行), one module a group.

Reading order: words (every sentence, zh and en) -> screen (language, tables, progress, faults) -> frame
(what all commands share: options, exit codes) -> letters (check, verify, sign, doctor, wrap, unwrap) -> walk
(clear, trace, rebuild, backup, restore, keys) -> trial (generate, bench, demo). Each imports only what stands
before it; ``cebport/cli.py`` loads the module of a command when that command is called.
"""
