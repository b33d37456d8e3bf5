"""python -m benchmarks.canary: how often a canary is decided wrongly, and how many votes a right decision takes.

Each canary is looked at after every vote. The figures follow from the seed, so they are the same on every machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
from random import Random

from bot.chat.preference_evidence import PreferenceTest, Verdict

NULL_CANARIES = 2_000
NULL_VOTES = 1_000  # each; then it ends undecided
TRUE_CANARIES = 400
TRUE_VOTES = 3_000


def canary(random: Random, new: float, old: float, old_for_each_new: int, votes: int) -> tuple[Verdict, int]:
    """The verdict and the votes it took, for models with these rates of good votes."""
    test = PreferenceTest(old_for_each_new)
    for number in range(1, votes + 1):
        on_new = random.random() < 1 / (1 + old_for_each_new)
        test.vote(on_new, random.random() < (new if on_new else old))
        if test.verdict is not Verdict.UNDECIDED:
            return test.verdict, number
    return Verdict.UNDECIDED, votes


def comparisons(random: Random, new_wins: float, most: int) -> tuple[Verdict, int]:
    """The verdict and the comparisons it took, where the new model wins that share of them."""
    test = PreferenceTest()
    for number in range(1, most + 1):
        test.compare(random.random() < new_wins)
        if test.verdict is not Verdict.UNDECIDED:
            return test.verdict, number
    return Verdict.UNDECIDED, most


def main() -> None:
    """Print the table, and the same as JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, rows = Random(options.seed), []
    for rate, old_for_each_new in ((0.5, 1), (0.5, 4), (0.9, 1), (0.9, 4)):
        found = [canary(random, rate, rate, old_for_each_new, NULL_VOTES) for _ in range(NULL_CANARIES // 4)]
        rows.append(_row(f"no difference, {rate:.0%} good votes, share {1 / (1 + old_for_each_new):.0%}", found))
    found = [comparisons(random, 0.5, NULL_VOTES) for _ in range(NULL_CANARIES)]
    rows.append(_row("no difference, comparisons", found))
    for old_for_each_new in (1, 4):
        found = [canary(random, 0.6, 0.4, old_for_each_new, TRUE_VOTES) for _ in range(TRUE_CANARIES)]
        rows.append(_row(f"60% against 40% good votes, share {1 / (1 + old_for_each_new):.0%}", found))
    found = [comparisons(random, 0.6, TRUE_VOTES) for _ in range(TRUE_CANARIES)]
    rows.append(_row("60:40 in comparisons", found))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'canaries':<48}{'count':>6}{'better':>9}{'worse':>8}{'median votes':>14}")
    for row in rows:
        median = "-" if row["median_votes"] is None else f"{row['median_votes']:,.0f}"
        print(f"{row['name']:<48}{row['canaries']:>6,}{row['better']:>9.1%}{row['worse']:>8.1%}{median:>14}")


def _row(name: str, found: list[tuple[Verdict, int]]) -> dict[str, object]:
    verdicts = [verdict for verdict, _ in found]
    decided = [votes for verdict, votes in found if verdict is not Verdict.UNDECIDED]
    return {
        "name": name,
        "canaries": len(found),
        "better": verdicts.count(Verdict.BETTER) / len(found),
        "worse": verdicts.count(Verdict.WORSE) / len(found),
        "median_votes": statistics.median(decided) if len(decided) > len(found) / 2 else None,
    }


if __name__ == "__main__":
    main()
