"""Open a copy of the gallery in JupyterLab, on this machine's own address, with a token."""

import difflib
import os
import secrets
import signal
import socket
import webbrowser
from pathlib import Path
from urllib.parse import quote

from notebooks import gallery, requirements
from notebooks.errors import CommandError

_PORTS = 50  # how many ports to try


def free_port(first: int) -> int:
    """The first free port from ``first`` on.

    Raises:
      CommandError: none of the next 50 is free.
    """
    for port in range(first, first + _PORTS):
        with socket.socket() as probe:
            # as the server itself will: a port that was in use a moment ago is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return probe.getsockname()[1]
    raise CommandError(f"no port from {first} to {first + _PORTS - 1} is free: choose another with --port.")


def has_browser() -> bool:
    """Whether there is a browser to open."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def default_directory(here: Path) -> Path:
    """Where the copy goes if no directory is given: below the current one, as JupyterLab works there too."""
    return here if (here / gallery.MANIFEST).exists() else here / "namedtensor-notebooks"


def choose(name: str, there: list[str]) -> str:
    """The notebook of this name, with or without ``.ipynb``, or the one that begins with it.

    Raises:
      CommandError: there is none, or several begin so.
    """
    stems = [n.removesuffix(".ipynb") for n in there]
    begin_so = sorted((s for s in stems if s.startswith(name.removesuffix(".ipynb"))), key=len)
    # a longer name that begins with the whole of another is that one's newer version
    if begin_so and all(s.startswith(begin_so[0]) for s in begin_so):
        return f"{begin_so[0]}.ipynb"
    if begin_so:
        raise CommandError(f"several notebooks begin with {name!r}: {', '.join(begin_so)}.")
    close = difflib.get_close_matches(name, stems, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise CommandError(f"there is no notebook {name!r}; there are: {', '.join(stems)}.{hint}")


def arguments(directory: Path, notebook: str, port: int, token: str, *, browser: bool) -> list[str]:
    """What JupyterLab is told; given on the command line, it goes before the user's own settings."""
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": directory,
        "LabApp.default_url": f"/lab/tree/{quote(notebook)}",
        "IdentityProvider.token": token,
        "Application.log_level": "WARN",  # the address stays in sight
    }
    flags = [] if browser else ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container there is no other user
        flags.append("--allow-root")
    return [*flags, *(f"--{k}={v}" for k, v in options.items())]


def _summary(directory: Path, done: gallery.Refreshed) -> str:
    counts = {"copied": done.copied, "brought up to date": done.updated}
    said = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    return f"\n    Notebooks:   {directory}" + (f"  ({said})" if said else "")


def run(notebook: str, directory: Path | None, port: int, *, browser: bool = True) -> int:
    """Bring the copy up to date, start JupyterLab, and wait until it ends.

    Args:
      notebook: a name, as `choose` takes it.
      directory: the user's copy; by default `default_directory` of the current one.
      port: the first port to try.
      browser: open a browser, if there is one.

    Returns:
      The exit status.

    Raises:
      CommandError: packages are missing, or there is no such notebook, no free port, no place to write.
      ImportError: JupyterLab is not installed.
    """
    if missing := requirements.missing("lab"):
        raise CommandError(
            f"not installed: {', '.join(missing)}. Run: pip install 'namedtensor-workbench[lab]'"
        )
    directory = (directory or default_directory(Path.cwd())).expanduser().absolute()
    there = sorted({*gallery.names(), *gallery.names(directory)})
    opened, port, token = choose(notebook, there), free_port(port), secrets.token_hex(16)
    version = requirements.installed(requirements.DISTRIBUTION) or "new"
    done = gallery.refresh(directory, version)
    print(_summary(directory, done))
    for note in done.notes:
        print(f"    {note}")
    print(f"    JupyterLab:  http://127.0.0.1:{port}/lab/tree/{quote(opened)}?token={token}")
    print("    Control-C, twice, stops it.\n", flush=True)
    serve(arguments(directory, opened, port, token, browser=browser and has_browser()))
    return 0


def serve(arguments: list[str]) -> None:
    """Run JupyterLab until it is stopped: here, as the command line of a process shows a token to all."""
    from jupyterlab.labapp import LabApp

    # On a terminal JupyterLab puts a question in this place. Elsewhere an interrupt would leave its files and
    # kernels behind; told to terminate, it cleans up.
    signal.signal(signal.SIGINT, lambda *_: signal.raise_signal(signal.SIGTERM))
    LabApp.launch_instance(arguments)
