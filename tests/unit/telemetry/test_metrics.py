"""Metrics: each with a sentence, a unit or a count in its name, and few labels."""

import ast
import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from maestro import metrics_docs
from telemetry import metrics, points

ROOT = Path(metrics.__file__).parents[1]
METRICS = {
    name: value for name, value in vars(metrics).items() if isinstance(value, Counter | Gauge | Histogram)
}
UNBOUNDED = {"session_id", "run_id", "user_id", "task_id", "message", "partition", "offset"}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_what_it_counts(name: str) -> None:
    (family,) = METRICS[name].describe()
    assert family.name.startswith("maestro_")
    assert family.documentation.endswith(".")
    assert not isinstance(METRICS[name], Histogram) or family.name.endswith("_seconds")


def test_the_catalogue_has_every_metric_once() -> None:
    listed = [metric for metrics_ in metrics.CATALOGUE.values() for metric in metrics_]
    assert sorted(map(id, listed)) == sorted(map(id, METRICS.values()))


def test_the_page_of_metrics_is_what_the_catalogue_says() -> None:
    assert metrics_docs.PAGE.read_text() == metrics_docs.page()


def test_the_page_names_metrics_as_they_are_scraped() -> None:
    scraped = generate_latest().decode()
    for metric in METRICS.values():
        assert f"# HELP {metrics_docs.name_of(metric)} " in scraped


@pytest.mark.parametrize("name", METRICS)
def test_a_metrics_labels_are_bounded(name: str) -> None:
    assert not UNBOUNDED & set(METRICS[name]._labelnames)


def source() -> str:
    """All code that is not a test."""
    folders = ("maestro", "api", "streams", "sinks", "bus", "stores", "llm")
    return "\n".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_counted_somewhere(name: str) -> None:
    assert re.search(rf"\b{name}\b", source())


def test_points_are_passed_somewhere_and_none_is_passed_that_has_no_meaning() -> None:
    passed: set[str] = set()
    for call in ast.walk(ast.parse(source().replace("from __future__", "# from __future__"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "point":
            passed |= names_of(call.args[0])
    assert passed == set(points.POINTS)


def names_of(argument: ast.expr) -> set[str]:
    """The names that a point's argument can have: written out, or for each role of a paid step."""
    if isinstance(argument, ast.JoinedStr):
        suffix = argument.values[-1]
        assert isinstance(suffix, ast.Constant)
        return {f"{role}{suffix.value}" for role in ("generate", "execute")}
    assert isinstance(argument, ast.Constant)
    return {str(argument.value)}
