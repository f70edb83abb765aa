"""``namedtensor-workbench`` or ``python -m notebooks``: each command is the module of its name.

Nothing here imports JAX or JupyterLab, so ``--help`` answers at once; the modules of the commands do.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from notebooks.errors import CommandError

_LINE = "pip install 'namedtensor-workbench[lab]'"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="namedtensor-workbench", description="The named-tensor workbench.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_lab(commands.add_parser("lab", help="open your copy of the notebooks in JupyterLab"))
    _add_attribute(commands.add_parser("attribute", help="explain one image, and draw it"))
    demo = commands.add_parser("demo", help="explain ten digits, and write a picture and a report")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="directory to write to (default: demo)")
    commands.add_parser("doctor", help="what is installed, what is missing, and the line to install it")
    return parser


def _add_lab(lab: argparse.ArgumentParser) -> None:
    lab.description = (
        "Copies the notebooks to a directory of yours and opens it in JupyterLab, on this machine's own "
        "address, with a token. Notebooks that you changed stay as they are: newer ones are put beside them."
    )
    lab.add_argument(
        "--notebook",
        default="00_index",
        metavar="NAME",
        help="what to open: its name or the beginning of it (default: 00_index)",
    )
    lab.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        help="your copy, made if it is not there (default: namedtensor-notebooks in the current directory)",
    )
    lab.add_argument(
        "--port", type=int, default=8888, help="port; the next free one is taken (default: 8888)"
    )
    lab.add_argument(
        "--no-browser", dest="browser", action="store_false", help="print the address and open nothing"
    )


def _add_attribute(attribute: argparse.ArgumentParser) -> None:
    attribute.description = (
        "Explains what a model sees in one image: prints the evidence, and draws a picture."
    )
    attribute.add_argument("--model", default="digits", metavar="NAME", help="digits (default) or planted")
    attribute.add_argument(
        "--method", default="integrated_gradients", metavar="NAME", help="default: integrated_gradients"
    )
    attribute.add_argument(
        "--index", type=int, default=0, metavar="N", help="number of the held-out image (default: 0)"
    )
    attribute.add_argument(
        "--target",
        type=int,
        metavar="CLASS",
        help="class to explain (default: the one that the model predicts)",
    )
    attribute.add_argument(
        "--baseline",
        metavar="WHAT",
        help="what it is compared with: a number, mean or blurred (default: 0)",
    )
    attribute.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="picture to write; its suffix chooses the format (default: MODEL_INDEX_METHOD.png)",
    )
    attribute.add_argument(
        "--list",
        dest="listing",
        action="store_true",
        help="list the models and the methods, and do nothing else",
    )


def _failed(message: str) -> int:
    print(f"namedtensor-workbench: {message}", file=sys.stderr)
    return 1


def _missing(error: ImportError) -> str:
    """The line that installs what is missing; the packages' own errors of this kind have it already."""
    if isinstance(error, ModuleNotFoundError):
        return f"{(error.name or 'a package').partition('.')[0]} is not installed: {_LINE}"
    return str(error)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
      The exit status: 0 when all is done, 1 when it could not be (with one line on standard error), 130
      when it was interrupted. Arguments that cannot be read end the process with 2.
    """
    arguments = vars(_parser().parse_args(argv))
    try:
        return importlib.import_module(f"notebooks.{arguments.pop('command')}").run(**arguments)
    except ImportError as error:
        return _failed(_missing(error))
    except (CommandError, OSError) as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
