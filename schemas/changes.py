"""Which log entries come with a new state of their run, task or session, on the topic of that record."""

from schemas.lists import Action

RUN_CHANGES = frozenset(
    {
        Action.MESSAGE_REJECTED,
        Action.RUN_QUEUED,
        Action.RUN_STARTED,
        Action.RUN_WAITING,
        Action.RUN_COMPLETED,
        Action.RUN_FAILED,
        Action.RUN_CANCELLED,
    }
)
"""Entries after which a run's record is another."""

TASK_CHANGES = (RUN_CHANGES | {Action.SESSION_CREATED, Action.MESSAGE_RECEIVED}) - {Action.RUN_QUEUED}
"""Entries after which the task's record is another."""

SESSION_CHANGES = TASK_CHANGES | {
    Action.SESSION_RESUMED,
    Action.SESSION_CONFIGURED,
    Action.SESSION_IDLE,
    Action.SESSION_EXPIRED,
    Action.SESSION_ARCHIVED,
    Action.SESSION_UNARCHIVED,
    Action.CONTEXT_SUMMARIZED,
    Action.RUN_ROLLED_BACK,
}
"""Entries after which the session's record is another."""
