"""The decision in the making: drafts so far, and what was said and spent after them."""

from msgspec import Raw

from schemas import ids
from schemas.agent_file import Planning
from schemas.lists import Action, Purpose, Role, StopReason
from streams.session import budgets
from streams.session.budgets import Exceeded, session_exceeded
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, Context, Message, QueuedRun, Usage
from streams.session.draft import Draft
from streams.session.event import Event
from streams.session.history import condense
from streams.session.payloads import (
    BudgetExceeded,
    GenerationRequested,
    Payload,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
)
from streams.session.rules import Rules
from streams.session.sizes import message_bytes


class Decision:
    """Collects the drafts of one decision. It lives inside one pure call and leaves it as a tuple."""

    def __init__(self, context: Context, event: Event, rules: Rules) -> None:
        self.context = context
        self.event = event
        self.rules = rules
        self.messages: tuple[Message, ...] = context.messages
        """Messages of ended runs, and of the one that this decision ends."""
        self.spent: Usage = context.spent
        """What all runs have used, with the generation that this decision is about."""
        self._drafts: list[Draft] = []
        self._order = context.total_messages

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """What was decided so far."""
        return tuple(self._drafts)

    def next_order(self) -> int:
        """Take the next place in the conversation."""
        self._order += 1
        return self._order

    def log(
        self,
        action: Action,
        payload: Payload | None = None,
        *,
        run_id: str | None = None,
        tool_name: str | None = None,
        tool_call_id: str | None = None,
        success: bool = True,
    ) -> None:
        """Add one entry."""
        self._drafts.append(
            Draft(
                action=action,
                payload=Payload() if payload is None else payload,
                run_id=run_id,
                tool_name=tool_name,
                tool_call_id=tool_call_id,
                success=success,
            )
        )

    def start(self, run: QueuedRun) -> None:
        """Begin a run: make room in the conversation, and ask the model."""
        condensed = condense(self.messages, self.context.context_summary, self.rules)
        if condensed is not None:
            self.log(Action.CONTEXT_SUMMARIZED, condensed)
        self.log(
            Action.RUN_STARTED,
            RunStarted(
                message_id=run.message_id,
                agent_id=run.agent_id,
                order=self.next_order(),
                metadata=run.metadata,
                configuration=Raw(run.configuration.encode()),
            ),
            run_id=run.id,
        )
        configuration = read_configuration(run.configuration)
        purpose = Purpose.ACT if configuration.planning is Planning.NONE else Purpose.PLAN
        due_ms = budgets.due_ms(
            self.context,
            None,
            configuration.generation_deadline_s,
            configuration,
            now_ms=self.event.at_ms,
        )
        self.request_generation(run.id, 0, purpose, configuration.model, due_ms)

    def start_next(self) -> None:
        """Begin the run that has waited longest. Those that the session has no budget left for fail."""
        for run in self.context.queue:
            limits = read_configuration(run.configuration).session_limits
            over = session_exceeded(self.context, self.spent, limits, now_ms=self.event.at_ms)
            if over is None:
                self.start(run)
                return
            self.log_exceeded(run.id, over)
            self._log_failed(run.id, over.stop_reason, over.stop_reason.value, over.message)

    def request_generation(
        self, run_id: str, index: int, purpose: Purpose, model_name: str, due_ms: int
    ) -> None:
        """Ask the model."""
        self.log(
            Action.GENERATION_REQUESTED,
            GenerationRequested(
                generation_id=ids.generation_id(run_id, index),
                index=index,
                purpose=purpose,
                model_name=model_name,
                due_ms=due_ms,
            ),
            run_id=run_id,
        )

    def log_exceeded(self, run_id: str, over: Exceeded, *, asks_last: bool = False) -> None:
        """Say that a budget is used up; `asks_last`: the model is asked for a last answer."""
        self.log(
            Action.BUDGET_EXCEEDED,
            BudgetExceeded(
                stop_reason=over.stop_reason,
                limit=over.limit,
                spent=over.spent,
                of_session=over.of_session,
                asks_last=asks_last,
            ),
            run_id=run_id,
            success=False,
        )

    def complete(self, run: ActiveRun, text: str, reason: StopReason = StopReason.ANSWERED) -> None:
        """End the active run with its answer, and begin the next."""
        order = self.next_order()
        self.log(
            Action.RUN_COMPLETED,
            RunCompleted(output=text, sql_query=run.sql_query, order=order, stop_reason=reason),
            run_id=run.id,
        )
        if self.context.queue:
            size = message_bytes(text)
            answer = Message(order=order, role=Role.ASSISTANT, content=text, size=size, run_id=run.id)
            self.messages = (*self.messages, answer)
            self.start_next()

    def fail(self, run: ActiveRun, reason: StopReason, code: str, message: str) -> None:
        """End the active run without an answer, and begin the next."""
        self._log_failed(run.id, reason, code, message)
        self.start_next()

    def cancel(self, run_id: str, reason: StopReason, message: str) -> None:
        """End a run, active or waiting, because somebody said so. The next one is not begun."""
        self.log(
            Action.RUN_CANCELLED,
            RunCancelled(
                stop_reason=reason,
                error_code=reason.value,
                error_message=message,
                cause=self.event.id,
            ),
            run_id=run_id,
            success=False,
        )
        if reason is StopReason.ROLLED_BACK:
            self.log(Action.RUN_ROLLED_BACK, run_id=run_id)
            self.messages = tuple(said for said in self.messages if said.run_id != run_id)

    def _log_failed(self, run_id: str, reason: StopReason, code: str, message: str) -> None:
        self.log(
            Action.RUN_FAILED,
            RunFailed(stop_reason=reason, error_code=code, error_message=message),
            run_id=run_id,
            success=False,
        )
