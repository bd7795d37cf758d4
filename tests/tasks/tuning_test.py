"""Settings chosen on the validation examples: the best trial, remembered, within its budget."""

import json
import pathlib

import pytest

from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks import kinds, stage, tuning
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig
from gr_tf.training.triple_recipes import own_recipe, variants


class FewVariants(TripleTask):
    """Tries a training that learns nothing, and two that do."""

    def variants(self, asked):  # type: ignore[no-untyped-def]
        return [{"learning_rate": 1e-6}, {"learning_rate": 0.3}, {"learning_rate": 0.1}]


@pytest.fixture
def task(toy: TripleSet) -> TripleTask:
    return FewVariants(toy, TripleConfig(dim=4, num_negatives=5, epochs=3, batch_size=16, optimizer="adagrad"))


def trials(folder: pathlib.Path) -> list[dict]:
    return json.loads((folder / "tune" / "result.json").read_text())["trials"]


def test_the_best_trial_is_taken_and_found_again(task: TripleTask, tmp_path: pathlib.Path) -> None:
    tuned = tuning.tuned(task, tmp_path, {}, 1.0)
    metrics = {one["settings"]["learning_rate"]: one["metric"] for one in trials(tmp_path)}
    assert len(metrics) == 3
    assert metrics[tuned.config.learning_rate] == max(metrics.values())
    assert tuned.config == task.with_config(learning_rate=tuned.config.learning_rate).config
    before = (tmp_path / "tune" / "result.json").read_bytes()
    assert tuning.tuned(task, tmp_path, {}, 1.0).config == tuned.config
    assert (tmp_path / "tune" / "result.json").read_bytes() == before
    with pytest.raises(InputError, match="minutes"):
        tuning.tuned(task, tmp_path, {}, 2.0)


def test_a_killed_search_goes_on(task: TripleTask, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tuning._trial
    done: list[object] = []

    def killed(*arguments):  # type: ignore[no-untyped-def]
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(tuning, "_trial", killed)
    with pytest.raises(KeyboardInterrupt):
        tuning.tuned(task, tmp_path, {}, 1.0)
    monkeypatch.setattr(tuning, "_trial", real)
    tuning.tuned(task, tmp_path, {}, 1.0)
    assert [one["settings"]["learning_rate"] for one in trials(tmp_path)] == [1e-6, 0.3, 0.1]


def test_without_time_for_a_trial_the_settings_stay(
    task: TripleTask, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuning.tuned(task, tmp_path, {}, 1e-9).config == task.config
    assert "No trial ended within the budget" in capsys.readouterr().err
    assert trials(tmp_path)[0]["told"] == "over budget"


def test_a_trial_that_fails_is_told(task: TripleTask, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FewVariants, "variants", lambda self, asked: [{"optimizer": "sgd", "learning_rate": 1.0}, {}])
    exploding = task.with_config(penalty=1e9, dtype="float32")
    tuning.tuned(exploding.with_config(learning_rate=1e-9), tmp_path, {}, 1.0)
    first, second = trials(tmp_path)
    assert "a lower learning rate may help" in first["told"]
    assert first["metric"] is None
    assert second["metric"] > 0


def test_a_run_goes_on_as_it_was_begun(task: TripleTask, tmp_path: pathlib.Path) -> None:
    """With the trials that it has, or without any."""
    chosen = tuning.tuned(task, tmp_path / "tried", {}, 1.0).config
    assert tuning.tuned(task, tmp_path / "tried", {}).config == chosen
    other = task.with_config(epochs=2)
    assert tuning.tuned(other, tmp_path / "tried", {"epochs": 2}).config == other.config
    assert tuning.tuned(task, tmp_path / "tried", {}, 0.0, overwrite=True).config == task.config
    assert not (tmp_path / "tried" / "tune" / "run.json").exists()

    plain = TripleTask(task.dataset, task.config)
    stage.train(plain, tmp_path / "untried")
    assert tuning.tuned(task, tmp_path / "untried", {}, 1.0).config == task.config
    assert not (tmp_path / "untried" / "tune").exists()


def test_budgets_that_cannot_be_are_refused(task: TripleTask, tmp_path: pathlib.Path) -> None:
    for minutes in (float("nan"), -1.0, float("inf")):
        with pytest.raises(InputError, match="tune_minutes must be a number of minutes"):
            tuning.tuned(task, tmp_path, {}, minutes)
    papers = TripleTask(task.dataset, TripleConfig())
    with pytest.raises(InputError, match="there is nothing to try: settings are tried for"):
        tuning.tuned(papers, tmp_path, {"batch_size": 1}, 1.0)


def test_who_names_settings_gets_them_without_a_search(toy: TripleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuning.minutes_for(TripleTask(toy, TripleConfig()), {}, None) == 0.0  # too few validation examples
    monkeypatch.setattr(tuning, "_VALID", 1)
    own = TripleTask(toy, kinds.own_config("triples", toy, {}))
    assert tuning.minutes_for(own, {}, None) == 2.0
    assert tuning.minutes_for(own, {"epochs": 3}, None) == 0.0
    assert tuning.minutes_for(own, {"epochs": 3}, 1.0) == 1.0
    assert tuning.minutes_for(own, {}, 0.0) == 0.0


def test_the_papers_steps_are_had_by_their_settings() -> None:
    for asked in ({"steps": "dense"}, {"batch_size": 1}, {"constraint": "norm"}):
        assert "optimizer" not in own_recipe(100, 1000, asked)
        assert variants(asked) == []
    assert own_recipe(100, 1000, {"batch_size": 1, "optimizer": "adagrad"})["reciprocal"]
    assert all("dim" not in variant for variant in variants({"dim": 20}))


@pytest.mark.slow
def test_a_variant_that_does_not_go_with_what_is_asked_is_told(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    asked = {"model": "transe", "epochs": 2}
    tuning.tuned(TripleTask(toy, kinds.own_config("triples", toy, asked)), tmp_path, asked, 1.0)
    told = [one["told"] for one in trials(tmp_path)]
    assert any("dropout is of the query vector" in text for text in told)
    assert "" in told


def test_every_variant_is_a_configuration(toy: TripleSet) -> None:
    own = TripleTask(toy, kinds.own_config("triples", toy, {}))
    for variant in own.variants({}):
        own.with_config(**variant)
