"""The commands of ``python -m crypten_lite``, each a function of what was given."""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from crypten_lite.errors import ConfigError
from crypten_lite.processes import config as configs
from crypten_lite.processes.config import Config, Member
from crypten_lite.processes.reporting import Terminal

if TYPE_CHECKING:
    from crypten_lite.processes.results import Results


def keys(given: argparse.Namespace, terminal: Terminal) -> None:
    """Make keys, and say what goes where."""
    from crypten_lite.keys.identity import create

    identity = create(given.party, given.out, days=given.days)
    name, certificate = given.party, identity.certificate
    private, public = given.out / identity.key_file.name, given.out / identity.certificate_file.name
    print(f"{private}\n  the private keys: keep the file to yourself. It never leaves this machine.")
    print(f"{public}\n  the certificate: give it to every party and to the dealer.")
    print(f"\nIt expires on {certificate.expires:%Y-%m-%d}. Its fingerprint is")
    print(f"  {certificate.fingerprint}")
    print("Tell it to them by another way than the file, such as on the phone. Their configurations pin it:")
    table, address = ("[dealer]", "") if name == "dealer" else ("[[parties]]", 'address = "host:7001"\n')
    print(f'\n{table}\nname = "{name}"\n{address}certificate = "{name}.crt"')
    print(f'fingerprint = "{certificate.fingerprint}"')


def fingerprint(given: argparse.Namespace, terminal: Terminal) -> None:
    """Print the fingerprints of certificates."""
    from crypten_lite.keys.certificate import Certificate

    for certificate in map(Certificate.read, given.files):
        print(f"{certificate.fingerprint}  {certificate.name}, until {certificate.expires:%Y-%m-%d}")


def shapes(given: argparse.Namespace, terminal: Terminal) -> None:
    """Print the shapes of inputs, and no values, as a dealer's configuration has them."""
    from crypten_lite.roles import inputs

    print(f"[inputs.{given.party or given.inputs.stem}]")
    for key, text in inputs.describe(inputs.read(given.inputs)).items():
        print(f"{quoted(key)} = {quoted(text)}")


def party(given: argparse.Namespace, terminal: Terminal) -> None:
    """Run a program as one of the parties."""
    from crypten_lite.processes.program import load
    from crypten_lite.processes.results import Results
    from crypten_lite.roles import inputs
    from crypten_lite.roles.running import run_party

    config = _config(given, terminal, "party")
    _require_writable(config)
    program, setting = load(*config.program), config.setting()
    brought = inputs.read(config.inputs) if config.inputs else {}
    _introduce(config, terminal)
    outcome = run_party(setting, program, brought, progress=terminal.bar(), log=terminal.log)
    results = Results.of(outcome.results)
    if config.results:
        results.write(config.results)
    terminal.done(outcome, results)
    terminal.log("\n  ".join([_kept(config, results), *results.describe()]))


def dealer(given: argparse.Namespace, terminal: Terminal) -> None:
    """Run a program as the dealer."""
    from crypten_lite.processes.program import load
    from crypten_lite.roles.running import run_dealer

    config = _config(given, terminal, "dealer")
    program, setting = load(*config.program), config.setting()
    _introduce(config, terminal)
    terminal.done(run_dealer(setting, program, log=terminal.log), None)


def prepare(given: argparse.Namespace, terminal: Terminal) -> None:
    """Deal ahead of time."""
    from crypten_lite.processes.program import load
    from crypten_lite.roles.running import prepare

    if given.runs < 1:
        raise ConfigError(f"--runs {given.runs}: prepare one or more.")
    config = _config(given, terminal, "dealer")
    program, setting = load(*config.program), config.setting()
    for name in setting.names:
        if name not in config.shapes:
            terminal.log(f"there is no [inputs.{name}] in {config.file}: {name} brings nothing")
    shapes = [config.shapes.get(name, {}) for name in setting.names]
    cost = prepare(setting, program, shapes, given.out, runs=given.runs, log=terminal.log)
    terminal.log(f"each run takes {cost.dealer_bytes:,} bytes and {cost.rounds} rounds")
    for name in setting.names:
        terminal.log(
            f'give {given.out / name} to {name}, whose [dealer] says: material = "{given.out / name}"'
        )


def _config(given: argparse.Namespace, terminal: Terminal, role: str) -> Config:
    config = configs.read(given.config)
    terminal.name = config.name
    if config.role != role:
        raise ConfigError(
            f"{config.file}: name is {config.name!r}, a {config.role}'s: run "
            f"`python -m crypten_lite {config.role} --config {config.file}`, or give a {role}'s file."
        )
    return config


def _kept(config: Config, results: "Results") -> str:
    """Where the results are."""
    if not results.revealed:
        return f"nothing was revealed to {config.name}"
    if config.results is None:
        return 'the results are not kept, as the configuration has no `results = "..."`'
    return f"the results are in {config.results}"


def _require_writable(config: Config) -> None:
    """See that results have a place before they are computed."""
    path = config.results
    if path and (path.is_dir() or not os.access(path.parent, os.W_OK)):
        raise ConfigError(
            f"{config.file}: results is {path}, which cannot be written: name a file in a folder of yours."
        )


def _introduce(config: Config, terminal: Terminal) -> None:
    """Say who takes part, and where this process waits for others."""
    for member in (*config.parties, config.dealer):
        terminal.log(f"{member.name} ({_whereabouts(config, member)}): {member.fingerprint}")
    terminal.log(f"waiting for the others, for {config.wait:g} seconds at most")


def _whereabouts(config: Config, member: Member) -> str:
    if member.name == config.name:
        return (
            f"this process, listening at {_at(config.listen)}"
            if config.listen
            else "the dealer, this process"
        )
    if member.address:
        return f"at {_at(member.address)}"
    return f"the dealer, who prepared {config.material}" if config.material else "the dealer"


def _at(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def quoted(text: str) -> str:
    """Text as a string of TOML."""
    escapes = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(escapes.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'


COMMANDS: dict[str, Callable[[argparse.Namespace, Terminal], None]] = {
    "keys": keys,
    "fingerprint": fingerprint,
    "shapes": shapes,
    "party": party,
    "dealer": dealer,
    "prepare": prepare,
}
