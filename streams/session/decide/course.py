"""How a run goes on: think, act, look back, answer, and stop when a budget is used up."""

from schemas.agent_file import Reflection
from schemas.lists import Action, Purpose, RunStatus, StopReason
from streams.session.budgets import Exceeded, due_ms, exceeded
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, NoteKind, Pending
from streams.session.decide.decision import Decision
from streams.session.history import shorten_run
from streams.session.payloads import Thought
from streams.session.sizes import cut

_ACTIONS = {
    NoteKind.PLAN: Action.PLAN,
    NoteKind.REFLECTION: Action.REFLECTION,
    NoteKind.DRAFT: Action.THOUGHT,
}


def said_without_tools(decision: Decision, run: ActiveRun, step: Pending, text: str) -> None:
    """Go on from a generation that had no tools: a plan, a reflection, a final or a last answer."""
    if run.over is not None:
        decision.complete(run, text, run.over)
    elif step.purpose is Purpose.REFLECT:
        _note(decision, run, step, NoteKind.REFLECTION, text)
        ask(decision, run, Purpose.ACT)
    elif step.purpose is Purpose.PLAN:
        _note(decision, run, step, NoteKind.PLAN, text)
        ask(decision, run, Purpose.ACT)
    else:
        decision.complete(run, text)


def answer(decision: Decision, run: ActiveRun, step: Pending, text: str) -> None:
    """Give the model's answer, or have it checked first."""
    if read_configuration(run.configuration).reflection is not Reflection.FINAL:
        decision.complete(run, text)
        return
    order = _note(decision, run, step, NoteKind.DRAFT, text)
    shorten(decision, run, order)
    ask(decision, run, Purpose.REFLECT, draft=text)


def after_batch(decision: Decision, run: ActiveRun, *, has_failure: bool) -> None:
    """Go on when all tool calls of a generation have ended; `has_failure` says whether one of them failed."""
    match read_configuration(run.configuration).reflection:
        case Reflection.EACH:
            ask(decision, run, Purpose.REFLECT)
        case Reflection.ON_ERROR if has_failure:
            ask(decision, run, Purpose.REFLECT)
        case _:
            ask(decision, run, Purpose.ACT)


def ask(decision: Decision, run: ActiveRun, purpose: Purpose, *, draft: str | None = None) -> None:
    """Ask the model once more, unless `run` (with what it has spent by now) has used up a budget.

    `draft` is the answer that this decision noted; an older one is among the run's notes.
    """
    configuration = read_configuration(run.configuration)
    now_ms = decision.event.at_ms
    over = exceeded(decision.context, run, decision.spent, configuration, now_ms=now_ms)
    if over is not None:
        out_of_budget(decision, run, over, draft=draft)
        return
    due = due_ms(decision.context, run, configuration.generation_deadline_s, configuration, now_ms=now_ms)
    decision.request_generation(run.id, run.next_index, purpose, configuration.model, due)


def out_of_budget(decision: Decision, run: ActiveRun, over: Exceeded, *, draft: str | None = None) -> None:
    """End a run that may not spend more: with its draft, or after a last answer where the agent wants one.

    Never for a run that was asked for its last answer already: that one ends with whatever comes.
    """
    configuration = read_configuration(run.configuration)
    draft = draft or run.note(NoteKind.DRAFT)
    asks_last = configuration.last_answer and draft is None and run.status is RunStatus.RUNNING
    decision.log_exceeded(run.id, over, asks_last=asks_last)
    if draft is not None:
        decision.complete(run, draft, over.stop_reason)
    elif asks_last:
        # Not capped by a budget of seconds: that one may be the budget which is used up.
        due = decision.event.at_ms + configuration.generation_deadline_s * 1000
        decision.request_generation(run.id, run.next_index, Purpose.ACT, configuration.model, due)
    else:
        decision.fail(run, over.stop_reason, over.stop_reason.value, over.message)


def give_up(decision: Decision, run: ActiveRun, reason: StopReason, code: str, message: str) -> None:
    """End a run whose step brought nothing.

    A draft that could not be checked is the answer all the same: it was paid for. A run that was asked for a
    last answer ends for the budget that made it the last.
    """
    draft = run.note(NoteKind.DRAFT)
    if draft is not None:
        decision.complete(run, draft)
    elif run.over is not None:
        what = f"the budget was used up ({run.over.value}), and there is no last answer: {message}"
        decision.fail(run, run.over, run.over.value, what)
    else:
        decision.fail(run, reason, code, message)


def shorten(decision: Decision, run: ActiveRun, from_order: int) -> None:
    """Keep only the beginnings of what the run said before `from_order` where it is too much for a prompt."""
    context = decision.context
    shortened = shorten_run(context.messages, run.id, from_order, context.context_summary, decision.rules)
    if shortened is not None:
        decision.log(Action.CONTEXT_SUMMARIZED, shortened, run_id=run.id)


def _note(decision: Decision, run: ActiveRun, step: Pending, kind: NoteKind, text: str) -> int:
    order = decision.next_order()
    # A draft may become the answer, and is kept whole.
    kept = text if kind is NoteKind.DRAFT else cut(text, decision.rules.max_note_bytes)
    decision.log(
        _ACTIONS[kind],
        Thought(generation_id=step.step_id, order=order, text=kept, calls=(), note=kind),
        run_id=run.id,
    )
    return order
