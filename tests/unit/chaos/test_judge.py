"""The verdict of the harness notices each broken promise that it is there for."""

from schemas import ids
from tests.chaos.harness.blame import Attempt, blamed, repeats
from tests.chaos.harness.judge import bought_again, out_of_order, two_ends
from tests.chaos.harness.load import Sent
from tests.chaos.harness.model import Call
from tests.chaos.harness.results import Fault, Kill

SESSION = ids.new_id()


def sent(count: int) -> list[Sent]:
    """Messages of one session, in the order in which they were sent."""
    return [Sent(id=ids.new_id(), session=SESSION, at=float(number)) for number in range(count)]


def kill(
    point: str, *, at: float, step: str | None = None, process: str = "generate-1", pid: int = 7
) -> Kill:
    """A kill at a moment."""
    return Kill(
        point=point,
        seed=1,
        static=True,
        process=process,
        pid=pid,
        at=at,
        gone_at=at + 0.5,
        lanes=1,
        step=step,
    )


def test_each_run_has_one_end_in_the_order_of_the_messages() -> None:
    first, second = sent(2)
    good = {SESSION: [first.run, second.run]}
    assert two_ends([first, second], good) == []
    assert out_of_order([first, second], good) == []
    assert len(two_ends([first, second], {SESSION: [first.run, second.run, first.run]})) == 1
    assert len(two_ends([first, second], {SESSION: [first.run]})) == 1
    assert out_of_order([first, second], {SESSION: [second.run, first.run]}) == [SESSION]


def test_a_recorded_generation_that_is_asked_for_again_is_noticed() -> None:
    calls = [Call(generation="g", process="generate-1", began_at=moment) for moment in (1.0, 9.0)]
    assert bought_again(calls, {"g": 12.0}) == []
    assert len(bought_again(calls, {"g": 2.0})) == 1


def test_a_repeat_is_blamed_on_the_kill_that_ended_the_attempt_before() -> None:
    attempts = [Attempt("g", "generate-1", 1.0), Attempt("g", "generate-2", 5.0)]
    guilty = kill("generate.called", at=2.0)
    problems: list[str] = []
    assert blamed(attempts, [kill("generate.called", at=0.2), guilty], [], problems, "it") == [guilty]
    assert problems == []


def test_what_a_killed_process_began_in_its_last_moment_is_cut_by_the_kill_too() -> None:
    attempts = [Attempt("g", 7, 2.1), Attempt("g", 8, 5.0)]
    guilty = kill("execute.working", at=2.0)
    problems: list[str] = []
    assert blamed(attempts, [guilty], [], problems, "it") == [guilty]
    assert problems == []


def test_a_repeat_without_a_kill_is_a_problem_unless_something_else_was_disturbed() -> None:
    attempts = [Attempt("g", "generate-1", 1.0), Attempt("g", "generate-2", 5.0)]
    other = kill("generate.called", at=2.0, process="generate-2")
    problems: list[str] = []
    assert blamed(attempts, [other], [], problems, "it") == []
    assert len(problems) == 1
    disturbance = Fault(fault="redis flush", seed=1, at=2.0, lasted_s=1.0)
    assert blamed(attempts, [other], [disturbance], problems, "it") == []
    assert len(problems) == 1
    gentle = Fault(fault="scale generate 1-3-1", seed=1, at=2.0, lasted_s=1.0)
    assert blamed(attempts, [other], [gentle], problems, "it") == []
    assert len(problems) == 2, "a partition that moves is no reason to do anything again"


def test_a_repeat_of_what_was_complete_when_its_worker_was_killed_is_a_problem() -> None:
    attempts = [Attempt("g", 7, 1.0), Attempt("g", 8, 5.0)]
    problems: list[str] = []
    _ = blamed(attempts, [kill("generate.completed", at=2.0, step="g")], [], problems, "it")
    assert len(problems) == 1


def test_attempts_are_compared_in_the_order_of_time() -> None:
    attempts = [Attempt("g", 2, 5.0), Attempt("h", 1, 2.0), Attempt("g", 1, 1.0)]
    assert [(before.at, again.at) for before, again in repeats(attempts)] == [(1.0, 5.0)]
