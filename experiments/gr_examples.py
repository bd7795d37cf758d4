"""The example explanations of Lawrence et al. (2021): are they what Gradient Rollback says, by more than one seed?

python -m experiments.gr_examples --data_dir=DATA/fb15k-237

The paper prints three questions of FB15k-237, each with the one triple that Gradient Rollback ranked first. For several
seeds this trains the model, ranks all adjacent triples of each question, and says where the printed triple stands. Then
the model is trained again, by the same seed, without what explains the three questions (all at once; they share
nothing): without the printed triples, without those that it ranks first itself, and without random adjacent ones.
"""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments import seed_flags
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.commands import common, engine_flags, run_flags, shard_flag, triple_flags
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Retraining
from gr_tf.report import published
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.types import Ids

common.adopt(engine_flags, run_flags, seed_flags, shard_flag, triple_flags)

NAME = "examples"
DEFAULTS = {"dataset": "fb15k237", "num_seeds": 5}
# What is removed: the triples that the paper prints, those that the training ranks first, and random adjacent ones.
REMOVED = ("paper", "first", "random")


def examples_of(triples: TripleSet) -> tuple[list[Query], Ids]:
    """The paper's questions, and the training triples that explain them, as ids.

    Raises:
        InputError: if the dataset does not have them.
    """
    places: dict[tuple[int, ...], int] = {}
    for example_id, triple in enumerate(triples.train.tolist()):
        places.setdefault(tuple(triple), example_id)
    queries, printed = [], []
    for question, explanation in published.EXAMPLES:
        try:
            asked, answer = (
                Query(*(triples.id_at(place, name) for place, name in enumerate(names)))
                for names in (question, explanation)
            )
            printed.append(places[answer.triple])
        except (InputError, KeyError) as error:
            raise InputError(
                f"{triples.name} does not have the paper's example {' '.join(question)}: they are of FB15k-237."
            ) from error
        queries.append(asked)
    return queries, np.array(printed)


def _explained(task: TripleTask, queries: Sequence[Query], printed: Ids) -> list[dict[str, Any]]:
    """What one training says of each question."""
    trained = train_in_memory(task)
    prediction, told = task.exact_value(trained.parameters, queries), []
    for place, query in enumerate(queries):
        ranking, random = GradientRollback(trained).rank(query), Neighborhood(trained).rank(query)
        found = ranking.example_ids.tolist()
        rank = found.index(int(printed[place]))
        told.append(
            {
                "prediction": float(prediction[place]),
                "is_first": task.top(trained.parameters, query) == query.tail,
                "rank": rank + 1,
                "influence": float(ranking.influences[rank]),
                "adjacent": len(found),
                "paper": int(printed[place]),
                "first": found[0],
                "random": int(random.example_ids[0]),
            }
        )
    return told


def _retrained(
    tasks: Sequence[TripleTask], queries: Sequence[Query], told: Sequence[Sequence[dict[str, Any]]], work: RunDir
) -> None:
    """Adds what each question's prediction is without what is removed, under "without"."""
    asked = [
        Retraining(
            task=task.reference,
            removed=tuple(sorted({one[what] for one in of_seed})),
            length=task.length,
            seed=task.config.seed,
            measure="exact value",
            queries=tuple(queries),
        )
        for task, of_seed in zip(tasks, told, strict=True)
        for what in REMOVED
    ]
    outcomes = iter(outcomes_of(tasks, asked, work.place("retrainings.jsonl"), run_flags.JOBS.value))
    for of_seed in told:
        for what in REMOVED:
            for one, value in zip(of_seed, next(outcomes).measured, strict=True):
                one.setdefault("without", {})[what] = value


def _told(task: TripleTask, query: Query) -> str:
    """A triple for people, its relation by the last part of its name."""
    head, relation, tail = task.names_of(query)
    return f"{head} - {relation.rsplit('/', 1)[-1]} - {tail}"


def frame(result: dict[str, Any]) -> pd.DataFrame:
    """A row for each question, from result.json; values are means over seeds."""
    rows = []
    for example in result["examples"]:
        seeds = example["seeds"]
        firsts = collections.Counter(one["first_name"] for one in seeds)
        ((most, times),) = firsts.most_common(1)
        before = np.array([one["prediction"] for one in seeds])
        changes = {
            f"p without {what}": np.array([one["without"][key] for one in seeds]) - before
            for key, what in zip(REMOVED, ("the paper's", "our first", "a random one"), strict=True)
        }
        rows.append(
            {
                "question": example["question"],
                "the paper's explanation": example["printed"],
                "its ranks": ", ".join(f"{one['rank']:,}" for one in seeds),
                "of": f"{seeds[0]['adjacent']:,}",
                "ranked first most often": f"{most} ({times} of {len(seeds)})",
                "p": f"{before.mean():.3f}",
                "predicted": f"{sum(one['is_first'] for one in seeds)} of {len(seeds)}",
                **{name: f"{change.mean():+.4f} ({(change < 0).sum()} fell)" for name, change in changes.items()},
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    task = triple_flags.load_task()
    queries, printed = examples_of(task.dataset)
    tasks = seed_flags.tasks(task)
    data = {"checksums": dict(task.dataset.checksums), "config": task.config.to_dict()}
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-examples")
    settings = {**data, "num_seeds": len(tasks)}
    with (
        RunDir.begin(folder / "work", data, replace=run_flags.OVERWRITE.value, reuse=True) as work,
        RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value, reuse=True) as stage,
    ):
        if not stage.is_finished:
            told = []
            with progress("explaining", len(tasks)) as bar:
                for one in tasks:
                    place = work.place(f"explained-{one.config.seed}.json")
                    if not place.exists():
                        files.write_json(place, {"examples": _explained(one, queries, printed)})
                    told.append(files.read_json(place)["examples"])
                    bar.advance()
            _retrained(tasks, queries, told, work)
            for one in (one for of_seed in told for one in of_seed):
                one["first_name"] = _told(task, task.dataset.query_of(one["first"]))
            stage.finish(
                {
                    "dataset": task.dataset.name,
                    "model": task.config.model,
                    "examples": [
                        {
                            "question": _told(task, query),
                            "printed": _told(task, task.dataset.query_of(int(printed[number]))),
                            "seeds": [of_seed[number] for of_seed in told],
                        }
                        for number, query in enumerate(queries)
                    ],
                }
            )
        result = stage.result()
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
