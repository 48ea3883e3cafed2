"""The frame of the benchmarks: what it would claim, it must have computed rightly."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import ratios, report, results
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Section, Series, Skipped, Target, rounds


def scripted(seconds: list[float], order: list[str], name: str) -> Contestant:
    waiting = iter(seconds)

    async def play() -> Outcome:
        order.append(name)
        return Outcome(100, next(waiting), cpu=0.01, figures={"p99 ms": 3.0})

    return Contestant(name, "did it", play, peer=name != "ours")


def group_of(*contestants: Contestant, figure: Figure = Figure.RATE, targets: tuple[Target, ...] = ()) -> Group:
    return Group("work", "Work", "Some work", figure, "things/s", "peer", contestants, targets, ("Everything else.",))


def bench(tmp_path: Path, said: Callable[[str], None] = lambda _: None) -> Bench:
    return Bench(tmp_path, quick=True, rounds=3, tell=said)


async def played(tmp_path: Path, ours: list[float], peer: list[float], **more: object) -> Section:
    order: list[str] = []
    return await rounds(bench(tmp_path), group_of(scripted(ours, order, "ours"), scripted(peer, order, "peer"), **more))


async def test_contestants_take_turns_and_change_places(tmp_path: Path) -> None:
    order: list[str] = []
    await rounds(bench(tmp_path), group_of(scripted([1, 1, 1], order, "ours"), scripted([1, 1, 1], order, "peer")))
    assert order == ["ours", "peer", "peer", "ours", "ours", "peer"]


async def test_a_ratio_is_taken_round_by_round_then_its_median(tmp_path: Path) -> None:
    section = await played(tmp_path, [1.0, 2.0, 4.0], [8.0, 3.0, 40.0])
    ratio = section.ratio("ours", "peer")
    assert ratio is not None
    assert ratio.median == pytest.approx(8.0)  # of 8, 1.5 and 10; the ratio of the medians would be 4
    assert ratio.spread == pytest.approx((10 - 1.5) / 8)


async def test_of_several_peers_the_best_of_each_round_counts(tmp_path: Path) -> None:
    order: list[str] = []
    section = await rounds(
        bench(tmp_path),
        group_of(
            scripted([1, 1, 1], order, "ours"), scripted([2, 9, 2], order, "peer"), scripted([9, 3, 9], order, "other")
        ),
    )
    ratio = section.ratio("ours", ("peer", "other"))
    assert ratio is not None
    assert ratio.spread == pytest.approx((3 - 2) / 2)
    assert ratio.median == pytest.approx(2.0)


async def test_seconds_compare_the_other_way(tmp_path: Path) -> None:
    section = await played(tmp_path, [2.0] * 3, [1.0] * 3, figure=Figure.SECONDS)
    ratio = section.ratio("ours", "peer")
    assert ratio is not None
    assert ratio.median == 2.0
    assert Target("ours", "peer", most=2).met(ratio.median)
    assert not Target("ours", "peer", most=1.9).met(ratio.median)


async def test_who_cannot_take_part_is_left_out_loudly(tmp_path: Path) -> None:
    async def absent() -> Outcome:
        raise Skipped("not installed: apt install it")

    said: list[str] = []
    target = Target("ours", "peer", least=2)
    group = group_of(scripted([1, 1, 1], [], "ours"), Contestant("peer", "–", absent, peer=True), targets=(target,))
    section = await rounds(bench(tmp_path, said.append), group)
    assert [line for line in said if line.startswith("SKIPPED")] == [
        "SKIPPED work: peer: not installed: apt install it"
    ]
    assert list(ratios.measured(section)) == []
    assert "**Not measured: peer.** not installed: apt install it." in report.section_text(section)


@pytest.mark.parametrize(("figure", "slower"), [(Figure.RATE, 2.0), (Figure.SECONDS, 2.0)])
async def test_worse_is_a_regression_and_better_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure, slower: float
) -> None:
    monkeypatch.setattr(ratios, "FILE", tmp_path / "ratios.json")
    more = {"figure": figure, "targets": (Target("ours", "peer"),)}
    ratios.keep([await played(tmp_path, [1.0] * 3, [3.0] * 3, **more)], "whole")

    def verdicts(section: Section) -> list[bool]:
        changes, missing = ratios.changes([section], "whole")
        assert missing == []
        return [change.regressed for change in changes]

    assert verdicts(await played(tmp_path, [slower] * 3, [3.0] * 3, **more)) == [True]
    assert verdicts(await played(tmp_path, [1 / slower] * 3, [3.0] * 3, **more)) == [False]
    assert verdicts(await played(tmp_path, [10.0] * 3, [30.0] * 3, **more)) == [False]  # a slower machine, no more


async def test_a_kept_ratio_that_was_not_measured_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratios, "FILE", tmp_path / "ratios.json")
    targets = (Target("ours", "peer"),)
    ratios.keep([await played(tmp_path, [1.0] * 3, [3.0] * 3, targets=targets)], "quick")
    alone = await rounds(bench(tmp_path), group_of(scripted([1.0] * 3, [], "ours"), targets=targets))
    assert ratios.changes([alone], "quick") == ([], ["work: ours / peer"])
    assert ratios.changes([alone], "whole") == ([], [])


async def test_the_page_survives_being_kept(tmp_path: Path) -> None:
    section = await played(tmp_path, [1.0, 2.0, 4.0], [3.0, 8.0, 40.0], targets=(Target("ours", ("peer",), least=4),))
    section.series.append(Series("Cost", "recipients", "µs each", (1_000.0, 10_000.0), {"push": (20.0, 21.0)}))
    section.lines.append("A line.")
    found = results.Results({"cores": "2"}, {"Python": "3"})
    found.add([section])
    first = report.benchmarks(found)
    found.sections = {"work": results._section_in(results._section_out(section))}
    assert report.benchmarks(found) == first
    assert "| **ours** | 50.0 | 150% | 4.00 | 100 | p99 ms 3.00 | did it |" in first
    assert "| Work | ours / peer | ≥ 4 | 4.00 | 175% | yes |" in first
    assert 'x-axis "recipients" ["1,000", "10,000"]' in first
