"""When a worker counts as a member, and when it must be replaced."""

from dataclasses import replace

from bus.membership import Membership, MembershipFacts

MEMBER = MembershipFacts(generation=3, rejoin_pending=False, coordinator_known=True)
REJOINING = MembershipFacts(generation=3, rejoin_pending=True, coordinator_known=True)


def test_a_member_with_a_coordinator_is_ready() -> None:
    membership = Membership(120, 0.0)
    assert membership.observe(MEMBER, 1.0)
    assert membership.readiness


def test_nobody_is_ready_before_the_first_look() -> None:
    assert not Membership(120, 0.0).readiness


def test_a_lost_coordinator_makes_unready_but_not_dead() -> None:
    membership = Membership(120, 0.0)
    away = MembershipFacts(generation=3, rejoin_pending=False, coordinator_known=False)
    assert membership.observe(away, 500.0)
    assert "broker" in membership.readiness.reason


def test_a_worker_may_be_out_of_the_group_for_the_limit_and_no_longer() -> None:
    membership = Membership(120, 0.0)
    membership.observe(MEMBER, 10.0)
    assert membership.observe(REJOINING, 130.0)
    assert not membership.observe(REJOINING, 130.1)


def test_the_start_counts_as_being_out() -> None:
    membership = Membership(120, 0.0)
    assert not membership.observe(MembershipFacts(), 121.0)


def test_coming_back_starts_the_count_anew() -> None:
    membership = Membership(120, 0.0)
    membership.observe(REJOINING, 100.0)
    membership.observe(MEMBER, 119.0)
    assert membership.observe(REJOINING, 200.0)


def test_a_crash_and_an_ended_coordination_are_final() -> None:
    membership = Membership(120, 0.0)
    assert "boom" in membership.observe(MembershipFacts(crash="boom"), 0.1).reason
    assert not membership.observe(MembershipFacts(coordination_ended=True, generation=3), 0.1)


def test_a_client_whose_own_loop_does_not_answer_is_given_up() -> None:
    membership = Membership(120, 0.0)
    assert membership.observe(replace(MEMBER, unanswered=40), 20.0)
    assert "blocked" in membership.observe(replace(MEMBER, unanswered=41), 20.5).reason
