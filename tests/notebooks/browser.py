"""A real JupyterLab in a real headless Chromium, for tests that a user's hands would make."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat

from notebooks.lab import free_port
from tests.widgets import chromium

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
_READY = """async () => {
    const notebook = window.jupyterapp.shell.currentWidget;
    await notebook.context.ready;
    await notebook.sessionContext.ready;
    await notebook.sessionContext.session.kernel.info;
}"""
_RUN_ALL = "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
_ASK = """async expression => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const asked = kernel.requestExecute({ code: '', silent: true, user_expressions: { x: expression } });
    const found = (await asked.done).content.user_expressions.x;
    return found.status === 'ok' ? found.data['text/plain'] : `${found.ename}: ${found.evalue}`;
}"""
_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .flatMap(cell => cell.model.outputs ? cell.model.outputs.toJSON() : [])
    .filter(output => output.output_type === 'error').map(output => output.evalue)"""


def _settings(home: Path) -> dict[str, str]:
    """An environment of its own, so that no setting of the user's is read or changed."""
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    env = {**os.environ, **{k: str(home / k.lower()) for k in (*places, "IPYTHONDIR", "MPLCONFIGDIR")}}
    env["JUPYTERLAB_SETTINGS_DIR"] = str(home / "settings")
    news = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    return env


def notebook_of(*cells: str) -> str:
    """A notebook of code cells, as a file holds it."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    return nbformat.writes(made)


@contextlib.contextmanager
def jupyterlab(home: Path, **more: str) -> Iterator[tuple[str, str]]:
    """The address and the token of a server on a copy of the notebooks, and of more by name."""
    copy = home / "notebooks"
    shutil.copytree(NOTEBOOKS, copy)
    for name, text in more.items():
        (copy / f"{name}.ipynb").write_text(text, encoding="utf-8")
    port, token = free_port(8900), secrets.token_hex(8)
    options = {"ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.root_dir": copy}
    options |= {"IdentityProvider.token": token, "LabApp.extension_manager": "readonly"}
    options |= {"LabApp.expose_app_in_browser": True}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{k}={v}" for k, v in options.items()]
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, env=_settings(home), stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, home / "server.log")
        yield f"http://127.0.0.1:{port}", token
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


def _wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended: {log.read_text()[-2000:]}")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not answer in time: {log.read_text()[-2000:]}")


@contextlib.contextmanager
def page_of(address: str, token: str, notebook: str, *, width: int = 1280, height: int = 1000) -> Iterator:
    """A browser page with the notebook open and its kernel ready."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(60_000)
        page.goto(f"{address}/lab/tree/{notebook}?reset&token={token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.evaluate(_READY)
        yield page


def asked(page, expression: str) -> str:
    """What an expression is in the kernel, as its repr."""
    return page.evaluate(_ASK, expression)


def run_all(page) -> list[str]:
    """Run all cells; returns the messages of those that failed."""
    page.evaluate(_RUN_ALL)
    return page.evaluate(_ERRORS)
