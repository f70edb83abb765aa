"""The commands of ``python -m crypten_lite``, each a function of what was given."""

import argparse
import os
from collections.abc import Callable

from crypten_lite.transport import config as configs
from crypten_lite.transport.config import Config, Member
from crypten_lite.transport.errors import ConfigError
from crypten_lite.transport.reporting import Terminal


def keys(given: argparse.Namespace, terminal: Terminal) -> None:
    """Make keys, and say what goes where."""
    from crypten_lite.transport.identity import create

    identity = create(given.party, given.out, days=given.days)
    name, certificate = given.party, identity.certificate
    print(
        f"{identity.key_file}\n  the private keys: keep the file to yourself. It never leaves this machine."
    )
    print(f"{identity.certificate_file}\n  the certificate: give it to every party and to the dealer.")
    print(f"\nIt expires on {certificate.expires:%Y-%m-%d}. Its fingerprint is")
    print(f"  {certificate.fingerprint}")
    print("Tell it to them by another way than the file, such as on the phone. Their configurations pin it:")
    print(f'\n[[parties]]  # for the dealer: [dealer], without an address\nname = "{name}"')
    print(f'address = "host:7001"\ncertificate = "{name}.crt"\nfingerprint = "{certificate.fingerprint}"')


def fingerprint(given: argparse.Namespace, terminal: Terminal) -> None:
    """Print the fingerprint of a certificate."""
    from crypten_lite.transport.certificate import Certificate

    certificate = Certificate.read(given.file)
    print(f"{certificate.fingerprint}  {certificate.name}, until {certificate.expires:%Y-%m-%d}")


def shapes(given: argparse.Namespace, terminal: Terminal) -> None:
    """Print the shapes of inputs, and no values, as a dealer's configuration has them."""
    from crypten_lite.transport import inputs

    print(f"[inputs.{given.party or given.inputs.stem}]")
    for key, text in inputs.describe(inputs.read(given.inputs)).items():
        print(f"{quoted(key)} = {quoted(text)}")


def party(given: argparse.Namespace, terminal: Terminal) -> None:
    """Run a program as one of the parties."""
    from crypten_lite.transport import inputs
    from crypten_lite.transport.program import load
    from crypten_lite.transport.results import Results
    from crypten_lite.transport.running import run_party

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
    where = (
        f"in {config.results}"
        if config.results
        else 'not kept, as the configuration has no `results = "..."`'
    )
    terminal.log("\n  ".join([f"the results are {where}", *results.describe()]))


def dealer(given: argparse.Namespace, terminal: Terminal) -> None:
    """Run a program as the dealer."""
    from crypten_lite.transport.program import load
    from crypten_lite.transport.running import run_dealer

    config = _config(given, terminal, "dealer")
    program, setting = load(*config.program), config.setting()
    _introduce(config, terminal)
    terminal.done(run_dealer(setting, program, log=terminal.log), None)


def prepare(given: argparse.Namespace, terminal: Terminal) -> None:
    """Deal ahead of time."""
    from crypten_lite.transport.program import load
    from crypten_lite.transport.running import prepare

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
        role = "dealer" if member is config.dealer else "party"
        terminal.log(f"{role} {member.name}, {_whereabouts(config, member)}: {member.fingerprint}")


def _whereabouts(config: Config, member: Member) -> str:
    if member.name == config.name:
        return f"this process, listening at {_at(config.listen)}" if config.listen else "this process"
    if member.address:
        return f"at {_at(member.address)}"
    return f"who prepared {config.material}" if config.material else "who connects to the parties"


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
