"""What has to add up."""

import math

from hypothesis import strategies as st

from whyrec.testing.invariant import Case, attribution, demand, demand_same
from whyrec.testing.subject import Subject, scale_of
from whyrec.testing.system import Explained, Ranked

_K = 4
ROUNDING = 1e-9
"""How far sums of float64 may be apart, over the largest of their parts."""

_SMALL_GAP = 1e-5
"""How large a gap may be, over the larger of 1 and the score."""


@attribution
def the_parts_of_a_recommended_score_add_up(on: Subject, case: Case) -> None:
    """Reasons that leave out a part of the score, and do not say so, are told for another score."""
    user, most = on.user(case), case.draw("max_reasons", st.none() | st.integers(1, 4))
    for each in on.told(user, on.k(case, _K), max_reasons=most):
        _add_up(each, each.score, each.other_contribution)


@attribution
def the_parts_of_an_explained_score_add_up(on: Subject, case: Case) -> None:
    """Any item can be asked about, and its reasons must account for its score."""
    each = on.system.explain(on.user(case), on.item(case))
    _add_up(each, each.score)


@attribution
def the_parts_add_up_in_groups(on: Subject, case: Case) -> None:
    """Groups are another way to tell the same contributions."""
    field = _group(on, case)
    each = on.system.explain(on.active_user(case), on.item(case), group_by=field)
    _add_up(each, each.score)


@attribution
def a_group_is_worth_what_its_members_are(on: Subject, case: Case) -> None:
    """ "Your 5 comedies" must count for as much as the five do one by one."""
    user, item, field = on.active_user(case), on.item(case), _group(on, case)
    alone = on.system.explain(user, item)
    apart = {place: reason for reason in alone.reasons for place in reason.players}
    for group in on.system.explain(user, item, group_by=field).reasons:
        members = {id(apart[place]): apart[place] for place in group.players}.values()
        if {place for each in members for place in each.players} != {*group.players}:
            continue  # events of one item that are in two groups
        total = math.fsum(each.contribution for each in members)
        scale = scale_of(*(each.contribution for each in members))
        demand(
            abs(group.contribution - total) <= ROUNDING * scale,
            f"{group.text!r} counts {group.contribution}, its members {total}",
        )


@attribution
def every_player_is_in_one_reason(on: Subject, case: Case) -> None:
    """Told twice, a player counts double; told in none, it is missing."""
    user, item = on.user(case), on.item(case)
    groups = [None, *_groups(on)]
    field = case.draw("group_by", st.sampled_from(groups))
    reasons = on.system.explain(user, item, group_by=field).reasons
    players = sorted(place for reason in reasons for place in reason.players)
    demand_same(players, list(range(len(players))), "the players of all reasons are")


@attribution
def the_gap_is_small(on: Subject, case: Case) -> None:
    """A gap that is stated and large is honest, and still no explanation."""
    for each in on.told(on.user(case), on.k(case, _K)):
        gap = each.efficiency_gap or 0.0
        demand(abs(gap) <= _SMALL_GAP * scale_of(each.score), f"the gap of {each.item_id!r}: {gap}")


@attribution
def what_is_not_told_is_summed_as_everything_else(on: Subject, case: Case) -> None:
    """The rest is what lets a reader see how much the reasons leave out."""
    user, k, most = on.user(case), on.k(case, _K), case.draw("max_reasons", st.integers(1, 4))
    for few, every in zip(on.told(user, k, max_reasons=most), on.told(user, k), strict=True):
        left = [reason.contribution for reason in every.reasons[most:]]
        other = few.other_contribution or 0.0
        close = abs(other - math.fsum(left)) <= ROUNDING * scale_of(*left)
        demand(close, f"of {few.item_id!r}: {other}, not {math.fsum(left)}")


@attribution
def every_number_of_an_answer_is_finite(on: Subject, case: Case) -> None:
    """NaN passes every comparison unseen, and JSON does not know it."""
    for each in on.told(on.user(case), on.k(case, _K)):
        numbers = [each.score, each.base_value, each.efficiency_gap, each.other_contribution]
        numbers += [reason.contribution for reason in each.reasons]
        demand(all(map(math.isfinite, _known(numbers))), f"of {each.item_id!r}: {numbers}")


@attribution
def importance_adds_up_to_the_contributions(on: Subject, case: Case) -> None:
    """What matters overall is made of single explanations, and of nothing else."""
    users, k = on.several(case), on.k(case, 3)
    found = on.system.importance(users, k)
    reasons = [
        reason.contribution
        for user in users
        for each in on.told(user, k)
        for reason in each.reasons
    ]
    total = math.fsum(each.mean_contribution * each.count for each in found.sources)
    close = abs(total - math.fsum(reasons)) <= ROUNDING * len(reasons) * scale_of(*reasons)
    demand(close, f"over all sources {total}, over all reasons {math.fsum(reasons)}")


@attribution
def importance_counts_every_explanation(on: Subject, case: Case) -> None:
    """A mean over other pairs than those that were asked for is a mean of something else."""
    users, k = on.several(case), on.k(case, 3)
    found = on.system.importance(users, k)
    expected = sum(len(each) for each in on.system.recommend(users, k))
    demand_same(found.n_explanations, expected, "the number of explanations is")


@attribution
def shares_of_importance_are_those_of_a_whole(on: Subject, case: Case) -> None:
    """Shares are read as percentages, the largest first."""
    shares = [each.share for each in on.system.importance(on.several(case), 2).sources]
    demand(all(0 <= share <= 1 for share in shares), f"not from 0 to 1: {shares}")
    demand(shares == sorted(shares, reverse=True), f"not the largest first: {shares}")
    close = abs(sum(shares) - 1) <= 1e-9 or not any(shares)
    demand(close, f"the shares add up to {sum(shares)}")


@attribution
def the_order_of_users_changes_no_importance(on: Subject, case: Case) -> None:
    """Means do not depend on the order of what is averaged."""
    users = on.several(case)
    turned = case.draw("turned", st.permutations(users))
    one, other = (
        sorted(
            (each.count, each.mean_absolute, each.mean_contribution)
            for each in on.system.importance(each_order, 2).sources
        )
        for each_order in (users, turned)
    )
    demand_same(len(one), len(other), "the number of sources is")
    for first, second in zip(one, other, strict=True):
        close = all(
            math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
            for a, b in zip(first, second, strict=True)
        )
        demand(close, f"count and means are {second}, not {first}")


def _add_up(each: Explained | Ranked, score: float, other: float | None = 0.0) -> None:
    """Demand that base value, contributions and gap are the score, and that all are there."""
    parts = [each.base_value, other, each.efficiency_gap]
    demand(None not in parts, f"of {each.item_id!r} a part is missing: {parts}")
    numbers = [*_known(parts), *(reason.contribution for reason in each.reasons)]
    close = abs(math.fsum(numbers) - score) <= ROUNDING * scale_of(score, *numbers)
    demand(close, f"of {each.item_id!r} the parts add up to {math.fsum(numbers)}, not {score}")


def _known(numbers: list[float | None]) -> list[float]:
    return [number for number in numbers if number is not None]


def _groups(on: Subject) -> list[str]:
    """Return the fields of the items that reasons can be grouped by."""
    fields = on.dataset.item_features.schema.fields
    return [field.name for field in fields if field.kind in ("categorical", "tags")]


def _group(on: Subject, case: Case) -> str:
    return on.one_of(case, "group_by", _groups(on), "field of items to group by")
