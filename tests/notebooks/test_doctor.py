"""The doctor says what is there and what to do, also where JAX does not work."""

import shutil

import pytest

from notebooks import doctor, requirements
from notebooks.__main__ import main

WORKS = {"devices": {"cpu": ["cpu"]}, "default": "cpu", "cache": "/", "notes": []}
INSTALLED = {"namedtensor-workbench": "0.1", "pytest": "9.0", "jax": "0.10.2"}


def line(text, name):
    return next(row for row in text.splitlines() if row[4:].startswith(name))


@pytest.fixture
def told(monkeypatch, capsys):
    """The report about given requirements, and its status."""

    def report(*lines, found=WORKS, versions=INSTALLED):
        monkeypatch.setattr(requirements.metadata, "requires", lambda _: list(lines))
        monkeypatch.setattr(doctor, "probe", lambda: found)
        monkeypatch.setattr(requirements, "installed", versions.get)
        status = main(["doctor"])
        return status, capsys.readouterr().out

    return report


def test_what_works_is_no_fault(told):
    versions = {
        "namedtensor-workbench": "0.1",
        "jax": "0.10.2",
        "jaxlib": "0.10.2",
        "numpy": "2.1",
        "tqdm": "5.0",
    }
    status, text = told("jax>=0.10.2", "numpy>=2.0", "tqdm>=4.66; extra == 'models'", versions=versions)
    assert status == 0
    assert [line(text, name).split() for name in versions] == [[k, v] for k, v in versions.items()]
    assert line(text, "cpu").endswith("1 x cpu (used by default)")
    assert text.endswith("\nnothing to mend\n")


def test_an_optional_package_may_be_missing(told):
    status, text = told("none-such>=1; extra == 'lab'", "pytest>=1; extra == 'lab'")
    assert status == 0
    assert line(text, "missing").endswith("  none-such: pip install 'namedtensor-workbench[lab]'")


def test_what_is_missing_of_an_extra_is_one_line(told):
    status, text = told("none-such>=1; extra == 'lab'", "nor-this>=2; extra == 'lab'")
    assert status == 0
    assert line(text, "missing").endswith("  none-such, nor-this: pip install 'namedtensor-workbench[lab]'")


def test_a_package_of_two_extras_is_told_once_under_the_smaller(told):
    _, text = told("pytest>=1; extra == 'dev'", "jax>=0; extra == 'dev'", "pytest>=1; extra == 'models'")
    assert text.count("    pytest ") == 1
    assert text.index("extra [models]") < text.index("    pytest ") < text.index("extra [dev]")


@pytest.mark.parametrize(("bounds", "how"), [(">=9.1", "old"), ("<9,>=8.2", "new"), ("<11,>=10", "old")])
def test_what_is_too_old_or_too_new_is_a_fault(bounds, how, told):
    status, text = told(f"pytest{bounds}; extra == 'dev'")
    assert status == 1
    assert line(text, "pytest").endswith(f"9.0 is too {how}: pip install --upgrade 'pytest{bounds}'")
    assert "  ! pytest" in text
    assert text.endswith("\nto mend: pytest\n")


def test_a_missing_core_is_a_fault(told):
    status, text = told("numpy-of-nobody>=2.0")
    assert status == 1
    assert line(text, "numpy-of-nobody").endswith("missing: pip install --upgrade 'numpy-of-nobody>=2.0'")


def test_without_an_installed_distribution_it_says_so(told):
    status, text = told(versions={})
    assert status == 1
    assert "namedtensor-workbench not installed: pip install" in " ".join(text.split())


@pytest.mark.parametrize(
    ("jax", "said"),
    [
        ("raise ImportError('undefined symbol: _Py')", "does not work: ImportError: undefined symbol: _Py"),
        ("import os; os.abort()", "importing it ended the process with status -6."),
        ("import time; time.sleep(60)", "does not work: it did not answer in 1 seconds"),
        ("", "does not work: ModuleNotFoundError: No module named 'jax.extend'; 'jax' is not a package"),
    ],
    ids=["broken", "crashes", "hangs", "another"],
)
def test_a_jax_that_does_not_work_is_told(jax, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "jax.py").write_text(jax)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "_PATIENCE", 1 if "sleep" in jax else 60)
    monkeypatch.setattr(requirements, "read", list)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert said in text
    assert "jax" in text.splitlines()[-1]


def test_the_real_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("NAMEDTENSOR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/digits-0.npz").touch()
    found = doctor.probe()
    import jax

    assert found["default"] == jax.default_backend()
    assert len(found["devices"][found["default"]]) == jax.device_count()
    cache = doctor._machine(found)[-1]
    assert (cache.text, cache.fault) == (f"{tmp_path / 'cache'} (1 trained model)", False)


def test_a_cache_that_cannot_be_written_to_is_a_fault(told, monkeypatch, tmp_path):
    monkeypatch.setattr("os.access", lambda *_: False)
    status, text = told(found=WORKS | {"cache": str(tmp_path / "not/yet")})
    assert status == 1
    assert line(text, "cache directory").endswith("cannot be written to. Set NAMEDTENSOR_CACHE.")


def test_chromium_is_found_or_its_line_is_told(told, monkeypatch):
    monkeypatch.setattr(
        shutil, "which", lambda name: "/there/chromium" if name == "chromium-browser" else None
    )
    assert line(told()[1], "chromium").endswith("/there/chromium")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    _, text = told()
    assert "apt install chromium" in line(text, "chromium")
    assert "chromium" not in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("found", "least", "too_old"),
    [
        ("0.10.2", "0.10.2", False),
        ("0.9.21", "0.10", True),
        ("2.0.0rc1", "2.0", False),
        ("2.0", "2.0.0", False),
        ("2026.9", "2025.1", False),
        ("1.9.post1", "1.10", True),
    ],
)
def test_versions_are_compared_by_their_numbers(found, least, too_old):
    fault = requirements.Requirement("a", f">={least}", "lab", found).fault
    assert fault == ("is too old" if too_old else None)


@pytest.mark.parametrize("line", ["a", "a==2", "a>=2,!=3", "a>=2; python_version < '3.12'", "a[b]>=2"])
def test_a_requirement_of_another_form_is_refused_and_not_guessed(line):
    with pytest.raises(ValueError, match="is not of the form name>=version,<version; extra"):
        requirements._parsed(line)
