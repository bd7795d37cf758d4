"""Seeds of an atlas that cannot be, or that other trainings have, are told before any training."""

import pathlib

import pytest

from gr_tf.evaluation.atlas import consensus_seeds
from tests.conftest import write_graph
from tests.experiments.binaries import run_here


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--seed=4294967295", "--num_seeds=2"), "seed must be from 0 to 4294967295; got 4294967296"),
        (("--seed=4294967290", "--num_seeds=20"), "seed must be from 0 to 4294967295; got 4294967309"),
        (("--seed=499999", "--num_seeds=600000"), "seeds 1000000 to 1000019 are for the questions: want fewer than"),
    ],
)
def test_refused_before_any_training(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    flags: tuple[str, ...],
    message: str,
) -> None:
    write_graph(tmp_path / "mine")
    where = (f"--data_dir={tmp_path / 'mine'}", f"--run_dir={tmp_path / 'atlas'}", "--model=distmult", "--dim=2")
    assert run_here(monkeypatch, "loo_atlas", *where, *flags) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "atlas").exists()


def test_the_questions_have_seeds_of_their_own() -> None:
    # Committed atlases begin with small seeds.
    for first in (0, 2, 10_000, 499_999):
        assert consensus_seeds(first) == range(1_000_000, 1_000_020)
    for first in (500_000, 1_000_000, 1_000_019, 4_294_967_000):
        assert first not in consensus_seeds(first)
        assert consensus_seeds(first).stop < first
