"""The decision in the making: drafts so far, and what the conversation will be after them."""

from msgspec import Raw

from schemas import ids
from schemas.agent_file import AgentConfiguration, Planning
from schemas.lists import Action, Purpose, StopReason
from streams.session.budgets import exceeded
from streams.session.configurations import read_configuration
from streams.session.context import ActiveRun, Context, Message, QueuedRun
from streams.session.draft import Draft
from streams.session.event import Event
from streams.session.history import condense
from streams.session.payloads import (
    BudgetExceeded,
    GenerationRequested,
    Payload,
    RunCancelled,
    RunFailed,
    RunStarted,
)
from streams.session.rules import Rules


class Decision:
    """Collects the drafts of one decision. It lives inside one pure call and leaves it as a tuple."""

    def __init__(self, context: Context, event: Event, rules: Rules) -> None:
        self.context = context
        self.event = event
        self.rules = rules
        self.messages: tuple[Message, ...] = context.messages
        """Messages of ended runs, and of the one that this decision ends."""
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
        self.request_generation(run.id, 0, purpose, configuration)

    def start_next(self, *, leaving_out: str | None = None) -> None:
        """Begin the run that has waited longest, if any waits besides `leaving_out`."""
        for run in self.context.queue:
            if run.id != leaving_out:
                self.start(run)
                return

    def request_generation(
        self, run_id: str, index: int, purpose: Purpose, configuration: AgentConfiguration
    ) -> None:
        """Ask the model."""
        self.log(
            Action.GENERATION_REQUESTED,
            GenerationRequested(
                generation_id=ids.generation_id(run_id, index),
                index=index,
                purpose=purpose,
                model_name=configuration.model,
                due_ms=self.event.at_ms + configuration.generation_deadline_s * 1000,
            ),
            run_id=run_id,
        )

    def go_on(self, run: ActiveRun) -> None:
        """Ask the model once more, unless `run` (with what it has spent by now) has used up a budget."""
        configuration = read_configuration(run.configuration)
        over = exceeded(run, configuration.limits, now_ms=self.event.at_ms)
        if over is None:
            self.request_generation(run.id, run.next_index, Purpose.ACT, configuration)
            return
        self.log(
            Action.BUDGET_EXCEEDED,
            BudgetExceeded(stop_reason=over.stop_reason, limit=over.limit, spent=over.spent),
            run_id=run.id,
            success=False,
        )
        self.fail(run, over.stop_reason, over.stop_reason.value, over.message)

    def fail(self, run: ActiveRun, reason: StopReason, code: str, message: str) -> None:
        """End the active run without an answer, and begin the next."""
        self.log(
            Action.RUN_FAILED,
            RunFailed(stop_reason=reason, error_code=code, error_message=message),
            run_id=run.id,
            success=False,
        )
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
