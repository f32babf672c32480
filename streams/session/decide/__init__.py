"""What happens next: one file per kind of event.

Pure: the same context, event, agent and rules give the same drafts.
"""

from streams.session.decide.dispatch import agent_wanted, decide

__all__ = ["agent_wanted", "decide"]
