from bench.accuracy.lineup import ROWS
from bench.accuracy.one import Outcome
from bench.accuracy.report import Section, notes, section_lines


def outcome(ndcg: float, seconds: float, n_users: int = 1_234) -> Outcome:
    return Outcome({"NDCG@10": ndcg, "HR@10": 2 * ndcg}, n_users, seconds, 3 << 29)


def test_a_section_shows_means_spread_ratio_and_cost() -> None:
    section = Section("retail", "next-item")
    section.settings["ease"] = ROWS["ease"].settings[2]
    section.settings["two-tower"] = ROWS["two-tower"].settings[0]
    section.outcomes["ease"] = [outcome(0.1, 2), outcome(0.2, 4), outcome(0.1, 9)]
    section.outcomes["two-tower"] = [outcome(0.11, 5), outcome(0.2, 5), outcome(0.12, 5)]
    lines = section_lines(section)
    assert lines[0] == "## Online Retail: next item, the last event of each user"
    assert "1,234 users are asked." in lines
    assert "| model | NDCG@10 | HR@10 | NDCG@10 over that of EASE | fit | peak memory |" in lines
    assert (
        "| EASE | 0.1333 ± 0.0577 | 0.2667 ± 0.1155 | 1.000 (least 1.000) | 4.0 s | 1.50 GiB |"
        in lines
    )
    (ours,) = [line for line in lines if line.startswith("| whyrec: two-tower")]
    assert "1.100 (least 1.000)" in ours
    # Only what had a choice is told.
    assert "Chosen on validation: EASE: EASEConfig(l2=100)." in lines
    assert notes([section])


def test_a_section_without_its_bar_has_no_ratio() -> None:
    section = Section("movielens", "next-item")
    section.outcomes["als"] = [outcome(0.1, 2, n_users=5)]
    lines = section_lines(section)
    assert "| ALS, implicit | 0.1000 | 0.2000 | – | 2.0 s | 1.50 GiB |" in lines
    assert "5 users are asked." in lines
    assert not [line for line in lines if line.startswith("Chosen")]
