"""What is asked of reasons, and what was measured of it."""

from bench.faithfulness.comparison import Findings
from bench.faithfulness.cost import Cost
from bench.faithfulness.lineup import MARGINS, N_PUBLISHED, NETWORK, RANDOM, RIVALS
from bench.faithfulness.removed import GREEDY, LOWER_IS_BETTER, Removals, verdict

from whyrec.evaluate.faithfulness import Faithfulness, gap_closed

HEADER = ["what", "on", "asked", "measured", "reached"]

_OF_SEQUENCE = {"Spearman": 0.95, "top-5 overlap": 0.85}
_AGREEMENT = {"Spearman": 0.98, "Pearson": 0.985, "top-5 overlap": 0.90}
_OF_ALL = {"Spearman": 0.95}
_MATCHED, _CLOSED, _GAP, _SECONDS = 500, 0.9, 1e-5, 60
_MOST_MS, _MOST_RATIO = 3.0, 2.0


def summary_rows(found: list[Findings], cost: Cost | None) -> list[list[str]]:
    """Return a row for each thing asked, of each recommender and data set that it is asked of."""
    rows = []
    for each in found:
        on = f"{each.data}, {each.recommender}"
        if "events" in each.agreement:
            asked = _OF_SEQUENCE if each.recommender == "sequence" else _AGREEMENT
            rows += _agreement_rows(
                "network to Shapley values", on, each.agreement["events"], asked
            )
            matched = each.matched_by
            rows.append(
                _row(
                    "KernelSHAP's coalitions to match the network",
                    on,
                    f"≥ {_MATCHED}",
                    "more than were tried" if matched is None else f"{matched:,}",
                    reached=matched is None or matched >= _MATCHED,
                )
            )
        if "all" in each.agreement:
            what = "the same over all players"
            rows += _agreement_rows(what, on, each.agreement["all"], _OF_ALL)
        if each.removals is not None:
            rows += _removal_rows(on, each.removals)
        gap = max(of.relative_gap for of in each.agreement.values())
        what = "largest efficiency gap, over the range"
        rows.append(_row(what, on, f"≤ {_GAP:g}", f"{gap:.1g}", reached=gap <= _GAP))
        if each.fit_seconds:
            rows.append(
                _row(
                    "training of the network, processor time",
                    on,
                    f"≤ {_SECONDS} s",
                    f"{each.fit_seconds:.0f} s",
                    reached=each.fit_seconds <= _SECONDS,
                )
            )
    if cost is not None:
        rows += _cost_rows(cost)
    return rows


def _agreement_rows(
    what: str, on: str, found: Faithfulness, asked: dict[str, float]
) -> list[list[str]]:
    means = found.means()
    return [
        _row(
            f"{what}, {figure}",
            on,
            f"≥ {least:g}",
            f"{means[figure]:.4f}",
            reached=means[figure] >= least,
        )
        for figure, least in asked.items()
    ]


def _removal_rows(on: str, removals: Removals) -> list[list[str]]:
    rows = []
    for rival in RIVALS[:N_PUBLISHED]:
        if rival not in removals.whole:
            continue
        verdicts = {
            figure: verdict(bound) for figure, bound in removals.differences(MARGINS, rival).items()
        }
        told = ", ".join(f"{figure} {verdicts[figure]}" for figure in LOWER_IS_BETTER)
        better = all(each == "better" for each in verdicts.values())
        rows.append(_row(f"margins beside {rival}", on, "better", told, reached=better))
    for name in (NETWORK, MARGINS):
        whole = removals.whole
        closed = gap_closed(whole[name], whole[RANDOM], whole[GREEDY])["CDCG"]
        what = f"gap closed, CDCG, {name.removeprefix('whyrec: ')}"
        rows.append(_row(what, on, f"≥ {_CLOSED:.0%}", f"{closed:.1%}", reached=closed >= _CLOSED))
    return rows


def _cost_rows(cost: Cost) -> list[list[str]]:
    on = f"ten items of one user, {cost.n_players:.0f} players, processor time"
    ratio = (cost.ranking_ms + cost.explaining_ms) / cost.ranking_ms
    return [
        _row(
            "explaining an answer",
            on,
            f"≤ {_MOST_MS:g} ms",
            f"{cost.explaining_ms:.2f} ms",
            reached=cost.explaining_ms <= _MOST_MS,
        ),
        _row(
            "an answer with its explanations, over one without",
            on,
            f"≤ {_MOST_RATIO:g}",
            f"{ratio:.1f} ({cost.ranking_ms:.2f} ms without)",
            reached=ratio <= _MOST_RATIO,
        ),
    ]


def _row(what: str, on: str, asked: str, measured: str, *, reached: bool) -> list[str]:
    return [what, on, asked, measured, "yes" if reached else "no"]
