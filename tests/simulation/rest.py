"""Whether a history has come to rest: nobody waits, everything is read, every run has ended."""

from typing import TYPE_CHECKING

from schemas.records import Run

if TYPE_CHECKING:
    from tests.simulation.world import World


def unrest(world: "World") -> str:
    """Say what is still to be done; empty: nothing."""
    if world.people.waiting:
        return "people will speak"
    if any(process.is_frozen and not process.is_dead for process in world.processes):
        return "a process is frozen"
    return _unfinished(world) or _unread(world) or _unended(world)


def _unfinished(world: "World") -> str:
    for worker in world.workers:
        if worker.process.is_up and worker.unfinished:
            return f"{worker.process.name} has not finished {worker.unfinished} steps"
    return ""


def _unread(world: "World") -> str:
    for role, group in world.groups.items():
        positions = world.record.next if role == "sink" else group.committed
        for topic in group.topics:
            for partition in range(world.topics.partitions):
                place = (topic, partition)
                if positions[place] < world.topics.end(*place):
                    return f"{role} stands at {positions[place]} of {world.topics.end(*place)} in {place}"
    return ""


def _unended(world: "World") -> str:
    for each in world.people.accepted:
        run = world.record.rows.get((Run, each.run_id))
        if each.session_id in world.record.erased:
            continue
        if not isinstance(run, Run) or not run.status.is_terminal:
            return f"run {each.run_id} has not ended"
    return ""
