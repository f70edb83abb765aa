"""Private computation between processes that hide their inputs from each other.

Ends with 0 when all is done, 1 when the computation stopped, 2 when what was given cannot be, 130 when it was
interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crypten_lite.errors import ConfigError, PartyError
from crypten_lite.processes.commands import COMMANDS
from crypten_lite.processes.guarding import guard
from crypten_lite.processes.reporting import Pipe, Terminal


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crypten_lite",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    keys = commands.add_parser("keys", help="make the keys and the certificate of a party or of the dealer")
    keys.add_argument("--party", required=True, metavar="NAME", help="whose keys: alice, bob, dealer")
    keys.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder (default: this one)")
    keys.add_argument("--days", type=int, default=365, help="until they expire (default: 365)")
    mark = commands.add_parser("fingerprint", help="print the fingerprints of certificates")
    mark.add_argument("files", type=Path, nargs="+", metavar="FILE", help="alice.crt")
    for role, does in (("party", "run a program as one of the parties"), ("dealer", "run it as the dealer")):
        _add_config(commands.add_parser(role, help=does), role)
    prepare = commands.add_parser("prepare", help="deal ahead of time: files that stand in for the dealer")
    _add_config(prepare, "dealer")
    prepare.add_argument(
        "--runs", type=int, default=1, help="runs to prepare; each file is used once (default: 1)"
    )
    prepare.add_argument("--out", type=Path, default=Path("material"), help="folder (default: material)")
    shapes = commands.add_parser("shapes", help="print the shapes of inputs, for a dealer that prepares")
    shapes.add_argument("--inputs", type=Path, required=True, metavar="FILE", help="alice.npz")
    shapes.add_argument("--party", metavar="NAME", help="whose inputs (default: as the file is called)")
    return parser


def _add_config(parser: argparse.ArgumentParser, role: str) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help=f"the {role}'s TOML file")
    # for the process that starts this one: messages on standard output instead of text
    parser.add_argument("--status", action="store_true", help=argparse.SUPPRESS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    given = _parser().parse_args(argv)
    terminal = Pipe() if getattr(given, "status", False) else Terminal()
    try:
        COMMANDS[given.command](given, terminal)
    except (PartyError, ImportError) as error:
        terminal.failed(error)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        terminal.failed(PartyError("interrupted."))
        return 130
    except Exception as error:  # the program's own: its author wants to see where
        terminal.crashed(error)
        raise
    return 0


if __name__ == "__main__":
    guard()
    sys.exit(main())
