"""A plan depends on its seed only, and plans contain everything that the harness can do."""

from __future__ import annotations

from faults.model import (
    ByHand,
    Deploy,
    Drop,
    FaultKind,
    HandKind,
    Overwrite,
    Plan,
    Poison,
    Publish,
    RunSentinel,
    Shape,
    Write,
)
from faults.plan import TRAITS, draw

PLANS = [draw(seed, has_previous=True) for seed in range(400)]


def actions(plan: Plan) -> list[object]:
    return [action for phase in plan.phases for action in phase.actions]


def test_a_seed_gives_the_same_plan_again() -> None:
    assert [draw(seed, has_previous=True) for seed in range(20)] == PLANS[:20]
    assert len({repr(plan) for plan in PLANS}) == len(PLANS)


def test_plans_have_every_fault_action_mode_and_shape() -> None:
    assert {fault.kind for plan in PLANS for phase in plan.phases for fault in phase.faults} == set(FaultKind)
    done = [action for plan in PLANS for action in actions(plan)]
    assert {Drop, Publish, Deploy, Poison, RunSentinel} <= {type(action) for action in done}
    by_hand: list[ByHand] = [change for plan in PLANS for phase in plan.phases for change in phase.by_hand]
    assert {change.kind for change in by_hand} == set(HandKind)
    sources = [source for plan in PLANS for source in plan.sources]
    assert {source.write for source in sources} == set(Write)
    assert {source.overwrite for source in sources} == set(Overwrite)
    drops = [action for action in done if isinstance(action, Drop)]
    assert {drop.file.shape for drop in drops} == set(Shape)
    deliveries = [drop.delivery for drop in drops]
    assert {delivery.now for delivery in deliveries} == {0, 1, 2}
    assert any(delivery.late for delivery in deliveries)
    assert any(delivery.again for delivery in deliveries)
    assert any(delivery.now == 0 and not delivery.late for delivery in deliveries)
    assert any(drop.same_second for drop in drops)
    deploys = [action for action in done if isinstance(action, Deploy)]
    assert any(deploy.previous for deploy in deploys)
    assert any(deploy.skew_s for deploy in deploys)
    assert any(deploy.chunk_rows for deploy in deploys)


def test_the_previous_release_is_only_deployed_where_it_is_right() -> None:
    for plan in PLANS:
        done = actions(plan)
        if any(isinstance(action, Deploy) and action.previous for action in done):
            assert not any(isinstance(action, (Publish, RunSentinel)) for action in done)
            assert not any(isinstance(action, Drop) and action.same_second for action in done)
            assert not any(phase.by_hand for phase in plan.phases)
    without = [draw(seed, has_previous=False) for seed in range(100)]
    assert not any(isinstance(action, Deploy) and action.previous for plan in without for action in actions(plan))


def test_a_trait_can_be_excluded() -> None:
    for seed in range(60):
        plan = draw(seed, has_previous=True, without=TRAITS)
        assert not any(isinstance(action, (Publish, Poison, RunSentinel)) for action in actions(plan))
