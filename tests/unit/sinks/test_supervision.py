"""A sink that is not a working member of its group any more stops with a sentence."""

import pytest

from bus.membership import MembershipFacts
from schemas.errors import FatalError
from sinks.supervision import Supervision

MEMBER = MembershipFacts(generation=3, rejoin_pending=False, coordinator_known=True)


def test_a_member_is_ready_and_one_that_joins_is_not() -> None:
    facts = [MembershipFacts(), MEMBER]
    supervision = Supervision(lambda: facts.pop(0), limit_s=60)
    assert supervision.checked().reason == "not a member of the consumer group"
    assert supervision.checked()


def test_a_membership_that_nobody_keeps_any_more_stops_the_sink() -> None:
    facts = [MEMBER, MembershipFacts(coordination_ended=True, generation=3)]
    supervision = Supervision(lambda: facts.pop(0), limit_s=60)
    assert supervision.checked()
    with pytest.raises(FatalError, match="the task that keeps the group membership has ended"):
        _ = supervision.checked()


def test_too_long_out_of_the_group_stops_the_sink() -> None:
    supervision = Supervision(MembershipFacts, limit_s=0.0)
    _ = supervision.checked()
    with pytest.raises(FatalError, match="out of the consumer group"):
        _ = supervision.checked()
