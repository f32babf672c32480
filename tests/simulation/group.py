"""A consumer group: who owns which partition, in which generation, and what is committed."""

from collections import defaultdict
from collections.abc import Mapping
from random import Random
from typing import Protocol

from tests.simulation.process import Process

Place = tuple[str, int]


class Member(Protocol):
    """One process in a group."""

    process: Process

    def told(self, generation: int) -> None:
        """Learn that a new generation begins: give everything back and join."""
        ...


class Group:
    """One group. An assignment stands once every member that runs has given its partitions back."""

    def __init__(self, name: str, topics: tuple[str, ...], *, partitions: int, random: Random) -> None:
        self.name = name
        self.topics = topics
        self.generation = 0
        self.committed: defaultdict[Place, int] = defaultdict(int)
        self._partitions = partitions
        self._random = random
        self._members: list[Member] = []
        self._joined: dict[int, Member] = {}
        self._owners: dict[int, Member] = {}
        self._settled = 0

    @property
    def members(self) -> list[Member]:
        """Those that run now."""
        return [member for member in self._members if member.process.is_up]

    def join(self, member: Member) -> None:
        """Take a new member in."""
        self._members.append(member)
        self.rebalance()

    def replace(self, member: Member, old: Process) -> None:
        """Let a process of the same name take over without a rebalance (a static member that came back)."""
        owned = [partition for partition, owner in self._owners.items() if owner.process is old]
        if not owned or self._settled != self.generation:
            self.join(member)
            return
        self._members = [each for each in self._members if each.process is not old]
        self._members.append(member)
        self._owners.update(dict.fromkeys(owned, member))
        member.told(self.generation)

    def rebalance(self) -> None:
        """Begin a new generation: everybody who runs gives back what it has, then partitions are dealt."""
        self._members = [member for member in self._members if not member.process.is_dead]
        self.generation += 1
        self._joined.clear()
        # One that is frozen hears of it when it wakes up.
        for member in self._members:
            member.told(self.generation)

    def joined(self, member: Member) -> None:
        """Note that a member gave everything back."""
        self._joined[id(member)] = member

    def assignment(self, member: Member, generation: int) -> frozenset[int] | None:
        """Return what a member owns in the generation; None: others have not joined, or it is over."""
        if generation != self.generation:
            return None
        if self._settled != generation:
            if any(id(each) not in self._joined for each in self.members):
                return None
            self._deal()
        return frozenset(number for number, owner in self._owners.items() if owner is member)

    def commit(self, member: Member, offsets: Mapping[Place, int]) -> None:
        """Commit what a member owns; a member that was replaced is refused."""
        for place, offset in offsets.items():
            if self._owners.get(place[1]) is member:
                self.committed[place] = max(offset, self.committed[place])

    def _deal(self) -> None:
        self._settled = self.generation
        able = sorted(self._joined.values(), key=lambda member: member.process.name)
        able = [member for member in able if member.process.is_up]
        self._owners = (
            {number: self._random.choice(able) for number in range(self._partitions)} if able else {}
        )
