"""``python -m notebooks lab`` opens JupyterLab, ``python -m notebooks demo`` does without a browser."""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_NEEDED = {
    "lab": ("jupyterlab", "ipywidgets", "matplotlib", "sklearn", "optax", "platformdirs", "tqdm"),
    "demo": ("matplotlib", "sklearn", "optax", "platformdirs", "tqdm"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="namedtensor-workbench", description="The named-tensor workbench.")
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser("lab", help="open JupyterLab on a notebook")
    lab.add_argument("--notebook", default="explore.ipynb", help="which notebook (default: explore.ipynb)")
    lab.add_argument(
        "--port", type=int, default=8888, help="port; the next free one is taken (default: 8888)"
    )
    lab.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    demo = commands.add_parser("demo", help="explain digits and write a picture and a report")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="directory to write to (default: demo)")
    return parser


def _missing(command: str) -> list[str]:
    return [name for name in _NEEDED[command] if importlib.util.find_spec(name) is None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. JAX is imported by the command, not by ``--help``."""
    given = _parser().parse_args(argv)
    if missing := _missing(given.command):
        print(
            f"not installed: {', '.join(missing)}. Run: pip install 'namedtensor-workbench[lab]'",
            file=sys.stderr,
        )
        return 1
    run: Callable[..., int]
    if given.command == "lab":
        from notebooks.lab import run

        return run(given.notebook, given.port, browser=not given.no_browser)
    from notebooks.demo import run

    return run(given.out)


if __name__ == "__main__":
    sys.exit(main())
