"""Start JupyterLab on one notebook, on this machine's own address, with a token."""

import os
import secrets
import socket
import subprocess
import sys
import webbrowser
from pathlib import Path

HERE = Path(__file__).parent
_PORTS = 50  # how many ports to try


def free_port(first: int) -> int:
    """The first free port from ``first`` on.

    Raises:
      OSError: none of the next 50 is free.
    """
    for port in range(first, first + _PORTS):
        with socket.socket() as probe:
            # as the server itself will: a port that was in use a moment ago is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {first} to {first + _PORTS - 1} is free: choose another with --port.")


def has_browser() -> bool:
    """Whether there is a browser to open."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def command(notebook: str, port: int, token: str, *, browser: bool) -> list[str]:
    """The command line that starts the server."""
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": HERE,
        "LabApp.default_url": f"/lab/tree/{notebook}",
        "IdentityProvider.token": token,
    }
    flags = [] if browser else ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container there is no other user
        flags.append("--allow-root")
    return [sys.executable, "-m", "jupyterlab", *flags, *(f"--{k}={v}" for k, v in options.items())]


def run(notebook: str, port: int, *, browser: bool = True) -> int:
    """Start JupyterLab and wait until it ends.

    Args:
      notebook: the name of a notebook in this folder.
      port: the first port to try.
      browser: open a browser, if there is one.

    Returns:
      The server's exit status.
    """
    there = sorted(p.name for p in HERE.glob("*.ipynb"))
    if notebook not in there:
        print(f"there is no notebook {notebook!r}; there are: {', '.join(there)}", file=sys.stderr)
        return 1
    port, token = free_port(port), secrets.token_hex(16)
    browser = browser and has_browser()
    print(f"\n    JupyterLab:  http://127.0.0.1:{port}/lab/tree/{notebook}?token={token}\n")
    print("    Press Control-C to stop.\n", flush=True)
    try:
        return subprocess.run(command(notebook, port, token, browser=browser), check=False).returncode
    except KeyboardInterrupt:
        return 0
