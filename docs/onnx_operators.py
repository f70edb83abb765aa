"""What of ONNX is known here, and which of its own test cases are run: `docs/onnx_operators.md`.

The table of operators, the definitions of ONNX and the cases of its wheel are asked; a test runs the
cases and compares the page.

Run: PYTHONPATH=. python docs/onnx_operators.py        (writes docs/onnx_operators.md)
"""

from collections import Counter
from pathlib import Path

from onnx import defs

from namedtensor.interop.onnx import known_operators
from tests.namedtensor.onnx import suite

PAGE = Path(__file__).with_name("onnx_operators.md")
# Why an operator of ONNX is not known, in order; the first that fits counts.
REASONS = {
    "values that are no tensors": ("Sequence", "Optional", "SplitToSequence", "ConcatFromSequence"),
    "texts": ("String", "Regex", "TfIdf"),
    "random numbers: here randomness is a key": ("Random", "Bernoulli", "Multinomial"),
    "decoding of image files is for a library of images": ("ImageDecoder",),
}


def schemas() -> dict[str, defs.OpSchema]:
    """ONNX's own operators that are not deprecated, in their newest version."""
    newest: dict[str, defs.OpSchema] = {}
    for schema in defs.get_all_schemas():
        if schema.domain == "":
            newest[schema.name] = schema
    return dict(sorted(newest.items()))


def known() -> dict[str, list[int]]:
    """Operators of ONNX in the table -> the opsets since which they hold."""
    found: dict[str, list[int]] = {}
    for op in known_operators():
        if op.domain == "" and op.fun.__module__.startswith("namedtensor."):
            found.setdefault(op.name, []).append(op.since)
    return found


def defined() -> list[str]:
    """Operators that run by the definition that ONNX gives of them."""
    there = known()
    graphs = {n: s for n, s in schemas().items() if s.has_function or s.has_context_dependent_function}
    return [n for n in graphs if n not in there and reason(n) is None]


def reason(name: str) -> str | None:
    """Why an operator is left out."""
    return next((why for why, beginnings in REASONS.items() if name.startswith(beginnings)), None)


def missing() -> dict[str, str]:
    """Operators that are not known -> why."""
    there = {*known(), *defined()}
    return {n: reason(n) or "not written yet" for n in schemas() if n not in there}


def others() -> list[str]:
    """Operators of vendors that the table has, without those that users have added."""
    ours = [op for op in known_operators() if op.domain and op.fun.__module__.startswith("namedtensor.")]
    return sorted({f"{op.domain}.{op.name}" for op in ours})


def case_table() -> list[str]:
    """For each kind of case how many there are, are left out, are refused, and pass."""
    lines = [
        "| cases of the onnx wheel | all | left out | run | refused | pass | share of those run |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in suite.KINDS:
        cases = suite.cases(kind)
        run = [case for case in cases if suite.left_out(case) is None]
        refused = [case for case in run if case.name in suite.REFUSED]
        share = 100 * (len(run) - len(refused)) / len(run)
        numbers = len(cases), len(cases) - len(run), len(run), len(refused), len(run) - len(refused)
        lines.append(f"| {kind} | {' | '.join(map(str, numbers))} | {share:.1f} % |")
    return lines


def left_out_table() -> list[str]:
    """How many cases each reason leaves out."""
    counts = Counter(
        why for kind in suite.KINDS for case in suite.cases(kind) if (why := suite.left_out(case))
    )
    return [
        "| left out | cases | because |",
        "|---|---|---|",
        *(f"| {k} | {counts[k]} | {why} |" for k, why in suite.LEFT_OUT.items()),
    ]


def refused_table() -> list[str]:
    """The cases that end with an error, each with its reason."""
    by_reason: dict[str, list[str]] = {}
    for name, why in suite.REFUSED.items():
        by_reason.setdefault(why, []).append(f"`{name}`")
    return [
        "| refused, with an error that says it | cases |",
        "|---|---|",
        *(f"| {why} | {', '.join(names)} |" for why, names in by_reason.items()),
    ]


def page() -> str:
    """The page."""
    there = known()
    table = [f"`{name}` {', '.join(map(str, since))}" for name, since in there.items()]
    gone = [f"| `{name}` | {why} |" for name, why in missing().items()]
    parts = [
        "# ONNX operators",
        "Written by `docs/onnx_operators.py` from the table itself and from the cases of the onnx wheel, which the tests run. "
        "How to read a file: [ONNX](onnx.md).",
        f"## The table: {len(there)} operators\n\nEach with the opsets since which its entries hold; the newest ONNX here is opset {defs.onnx_opset_version()}.",
        ", ".join(table) + ".",
        f"## By ONNX's own definition: {len(defined())} more\n\n"
        + ", ".join(f"`{n}`" for n in defined())
        + ".",
        "## Of other vendors\n\n" + (", ".join(f"`{n}`" for n in others()) or "none") + ".",
        "## Not known\n\n| operator | because |\n|---|---|\n" + "\n".join(gone),
        "## The cases\n\n" + "\n".join(case_table()),
        "\n".join(left_out_table()),
        "\n".join(refused_table()) if suite.REFUSED else "None is refused.",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
