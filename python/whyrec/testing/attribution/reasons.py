"""What holds of the reasons of one score."""

import json
from itertools import pairwise

from hypothesis import strategies as st

from whyrec.testing.attribution.sums import ROUNDING
from whyrec.testing.invariant import Case, apply_only, attribution, demand, demand_same
from whyrec.testing.subject import Subject

_K = 4


@attribution
def fewer_reasons_are_a_prefix_of_more(on: Subject, case: Case) -> None:
    """ "Show more" must add reasons below those that are there."""
    user, item, most = on.user(case), on.item(case), case.draw("max_reasons", st.integers(1, 5))
    every = on.system.explain(user, item)
    few = on.system.explain(user, item, max_reasons=most)
    demand_same(few.reasons, every.reasons[:most], f"the {most} strongest are")


@attribution
def the_strongest_reasons_come_first(on: Subject, case: Case) -> None:
    """The reasons that are shown must be those that count."""
    reasons = on.system.explain(on.user(case), on.item(case)).reasons
    for one, after in pairwise(reasons):
        strong = abs(one.contribution) >= abs(after.contribution)
        demand(strong, f"{one.contribution} stands above {after.contribution}")


@attribution
def no_more_reasons_come_than_asked_for(on: Subject, case: Case) -> None:
    """A card has room for so many."""
    user, most = on.user(case), case.draw("max_reasons", st.integers(1, 5))
    for each in on.told(user, on.k(case, _K), max_reasons=most):
        demand(len(each.reasons) <= most, f"{each.item_id!r} has {len(each.reasons)} reasons")


@attribution
def a_share_has_the_sign_of_its_contribution(on: Subject, case: Case) -> None:
    """What speaks against an item must not be shown as speaking for it."""
    for reason in on.system.explain(on.user(case), on.item(case)).reasons:
        agree = (reason.share > 0) == (reason.contribution > 0) or abs(reason.share) < 1e-300
        demand(agree, f"{reason.contribution} has the share {reason.share}")


@attribution
def shares_are_in_proportion_to_contributions(on: Subject, case: Case) -> None:
    """A bar that is twice as long must stand for twice as much."""
    reasons = on.system.explain(on.user(case), on.item(case)).reasons
    apply_only(len(reasons) > 1, "every score that was drawn has fewer than two reasons")
    first = reasons[0]
    for reason in reasons[1:]:
        one = reason.share * first.contribution
        other = first.share * reason.contribution
        close = abs(one - other) <= ROUNDING * abs(first.contribution)
        demand(
            close, f"{reason.contribution} has {reason.share}, {first.contribution} {first.share}"
        )


@attribution
def shares_are_parts_of_a_whole(on: Subject, case: Case) -> None:
    """Shares are over all players, so those that are shown cannot be more than everything."""
    shares = [abs(each.share) for each in on.system.explain(on.user(case), on.item(case)).reasons]
    demand(sum(shares) <= 1 + 1e-9, f"in absolute terms they add up to {sum(shares)}")


@attribution
def reasons_speak_of_nothing_but_the_own_history(on: Subject, case: Case) -> None:
    """An event of somebody else in a reason is both wrong and a breach of privacy."""
    user = on.user(case)
    own = on.seen(user)
    for each in on.told(user, on.k(case, _K)):
        theirs = {reason.source for reason in each.reasons if reason.kind == "history"}
        demand(theirs <= own, f"not of {user!r}: {sorted(map(repr, theirs - own))}")


@attribution
def every_item_of_the_history_has_a_reason(on: Subject, case: Case) -> None:
    """What is left out of all reasons cannot be objected to."""
    user = on.active_user(case)
    reasons = on.system.explain(user, on.item(case)).reasons
    told = [reason.source for reason in reasons if reason.kind == "history"]
    found, expected = sorted(map(repr, told)), sorted(map(repr, on.seen(user)))
    demand_same(found, expected, "the items of the reasons from history are")


@attribution
def what_is_not_there_gives_no_reason(on: Subject, case: Case) -> None:
    """Of a visitor of whom nothing is known there is nothing to say but of the items."""
    k = on.k(case, _K)
    for each in on.system.recommend_for(k=k, max_reasons=None):
        kinds = {str(reason.kind) for reason in each.reasons}
        demand(kinds <= {"item_feature"}, f"{each.item_id!r} has reasons of {sorted(kinds)}")


@attribution
def every_reason_has_words(on: Subject, case: Case) -> None:
    """A reason without words is an empty line on a page."""
    for each in on.told(on.user(case), on.k(case, _K)):
        for reason in each.reasons:
            demand(bool(reason.text.strip()), f"no words for {reason.contribution}: {reason!r}")


@attribution
def a_confidence_is_a_probability(on: Subject, case: Case) -> None:
    """It is shown as how likely a reason is, from never to always."""
    reasons = on.system.explain(on.user(case), on.item(case)).reasons
    stated = [reason.confidence for reason in reasons if reason.confidence is not None]
    apply_only(len(stated) > 0, "the explainer states no confidences")
    demand(all(0 <= each <= 1 for each in stated), f"not from 0 to 1: {stated}")


@attribution
def every_answer_names_its_explainer(on: Subject, case: Case) -> None:
    """An estimate must be told from an exact value, and one explainer from another."""
    tiers = {each.tier for each in on.told(on.user(case), on.k(case, _K))}
    tiers.add(on.system.explain(on.user(case), on.item(case)).tier)
    demand(len(tiers) == 1 and all(tiers), f"the tiers of one system are {tiers}")


@attribution
def what_is_exported_is_what_is_shown(on: Subject, case: Case) -> None:
    """Other services read the JSON, people the page; both must be told the same."""
    answer = on.told(on.user(case), on.k(case, _K))
    rows = json.loads(answer.to_json())["recommendations"]
    demand_same(len(rows), len(answer), "the number of items in JSON is")
    for row, each in zip(rows, answer, strict=True):
        demand_same(row["score"], each.score, f"the score of {each.item_id!r} in JSON is")
        told = [reason["contribution"] for reason in row["reasons"]]
        shown = [reason.contribution for reason in each.reasons]
        demand_same(told, shown, f"the contributions to {each.item_id!r} in JSON are")
