"""Flags of the experiments by Kelpie's protocol, and the task and the facts that they name."""

import pathlib
import sys
import time
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from absl import flags

from gr_tf.commands import (
    common,
    config_flags,
    data_flags,
    engine_flags,
    removal_flags,
    run_flags,
    shard_flag,
    triple_flags,
)
from gr_tf.data.sources import public_name
from gr_tf.data.triple_files import read_triples
from gr_tf.data.triples import COLUMNS, Query, TripleSet
from gr_tf.errors import InputError, short
from gr_tf.evaluation.changed_ranks import Changes
from gr_tf.evaluation.explained_facts import ExplainedFacts, explain_facts
from gr_tf.evaluation.kept_influences import FIRST_MEMBER, Asked
from gr_tf.evaluation.paired import NOTHING, OTHER_ORDER
from gr_tf.evaluation.removal import ALL, parse_ks
from gr_tf.report.fact_tables import beyond_frame, frame, heading
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import kinds
from gr_tf.tasks.head_facts import HeadFactsTask
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Ids

common.adopt(config_flags, data_flags, engine_flags, run_flags, shard_flag)
for _name in ("methods", "ks"):
    flags.declare_key_flag(_name)
FACTS = flags.DEFINE_string(
    "facts", None, "File of facts to explain: head, relation, tail. Default: random test triples."
)
NUM_FACTS = flags.DEFINE_integer(
    "num_facts", 100, "Explain at most so many of the facts whose tail the model ranks first.", lower_bound=1
)
SEEDS = flags.DEFINE_integer(
    "seeds",
    5,
    "Trainings that check, from other seeds than the explained one.",
    lower_bound=1,
    upper_bound=FIRST_MEMBER,
)
# Controls that look at no model.
RANDOM, SHAPE = CONTROLS = "random", "shape"
DEFAULTS = {"methods": ["gr", "gr*5", RANDOM, SHAPE], "ks": ["1", "4"]}
# Of each test triple that may be explained, about so many have to be looked at.
_LOOKED_AT = 4
# Epochs of trainings that are long enough, by dataset and model: the tail ranks of the facts no longer change much.
_SHORT = {
    ("fb15k237", "distmult"): 4,
    ("fb15k237", "complex"): 4,
    ("wn18rr", "distmult"): 6,
    ("wn18rr", "complex"): 8,
}


def load_task() -> HeadFactsTask:
    """The task that the flags name: by the recipe of `gr_tf train`, on public graphs for fewer epochs."""
    triples, asked = triple_flags.load_dataset(), config_flags.asked(TripleConfig)
    key = (public_name(triples.checksums) or "", asked.get("model", "distmult"))
    short_one = {"epochs": _SHORT[key]} if key in _SHORT else {}
    return HeadFactsTask(triples, kinds.own_config("triples", triples, short_one | asked))


def methods(task: HeadFactsTask) -> list[Asked]:
    """The methods that the flags name, without the controls.

    Raises:
        InputError: if one is unknown, named twice, does not serve the task, or is too large for it.
    """
    names = removal_flags.METHODS.value or []
    if len(set(names)) < len(names):
        raise InputError(f"methods: want each once; got {short(','.join(names))}.")
    found = [Asked.parsed(name, task.kind) for name in names if name not in CONTROLS]
    for one in found:
        one.check(task)
    return found


def ks() -> list[int]:
    """The sizes of explanations that the flags name.

    Raises:
        InputError: if one is no whole number from 1.
    """
    parsed = parse_ks(removal_flags.K_LIST.value)
    if ALL in parsed:
        raise InputError("ks must be whole numbers: an explanation here has at most so many facts; got ALL.")
    return [int(k) for k in parsed]


def seeds(task: HeadFactsTask) -> list[int]:
    """The explained seed, then those that check."""
    return [task.config.seed + number for number in range(SEEDS.value + 1)]


def read_facts(triples: TripleSet) -> tuple[list[Query], list[str]]:
    """The facts that the flags name, and notes on those that are left out; without a file, random test triples.

    Raises:
        InputError: if the file cannot be read, a fact is a training triple, or nothing is left.
    """
    trained = set(map(tuple, triples.train.tolist()))
    if FACTS.value is None:
        order = np.random.default_rng(0).permutation(len(triples.test))
        drawn = dict.fromkeys(map(tuple, triples.test[order].tolist()))
        facts = [Query(*triple) for triple in drawn if triple not in trained]
        return facts[: _LOOKED_AT * NUM_FACTS.value], []
    path = pathlib.Path(FACTS.value)
    frame = read_triples(path)
    ids = [triples.entities.ids, triples.relations.ids, triples.entities.ids]
    found, notes = dict[Query, None](), list[str]()
    for line, names in zip(frame.index, frame[list(COLUMNS)].itertuples(index=False), strict=True):
        unknown = [name for name, of_place in zip(names, ids, strict=True) if name not in of_place]
        if unknown:
            notes.append(f"{path}:{line}: {short(unknown[0])} is in no training triple: the fact is left out.")
            continue
        query = Query(*(of_place[name] for name, of_place in zip(names, ids, strict=True)))
        if query.triple in trained:
            raise InputError(f"{path}:{line}: {short(' '.join(names))} is a training triple, and explains itself.")
        if query in found:
            notes.append(f"{path}:{line}: repeats an earlier fact, and is left out.")
        found[query] = None
    if not found:
        raise InputError(f"{path}: has no fact whose names are all in the training triples.")
    return list(found), notes


# Trains and measures; gets the task, the explained facts, and where finished trainings are kept.
Measure = Callable[[HeadFactsTask, ExplainedFacts, RunDir], dict[str, Any]]


def run(
    name: str, measure: Measure, also: Mapping[str, Any] = types.MappingProxyType({})
) -> tuple[dict[str, Any], pathlib.Path]:
    """Explains the facts that the flags name, measures, and writes the result, unless it is there.

    Args:
        name: of the stage.
        measure: gives the part of the result that is the experiment's own.
        also: more settings of the stage.

    Returns:
        The result, and its folder.
    """
    task = load_task()
    asked, sizes = methods(task), ks()
    facts, notes = read_facts(task.dataset)
    for note in notes:
        print(note, file=sys.stderr)
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-facts")
    data = {"dataset": task.dataset.name, "checksum": task.dataset.checksum, "config": task.config.to_dict()}
    controls = {RANDOM: task.in_random_order, SHAPE: task.by_shape}
    named = {one: order for one, order in controls.items() if one in (removal_flags.METHODS.value or [])}
    settings = {
        **data,
        "facts": [list(query.triple) for query in facts],
        "methods": [*map(str, asked), *named],
        "ks": sizes,
        **{flag.name: flag.value for flag in (NUM_FACTS, SEEDS)},
        **also,
    }
    overwrite = run_flags.OVERWRITE.value
    with (
        RunDir.begin(folder / "work", data, replace=overwrite) as work,
        RunDir.begin(folder / name, settings, overwrite=overwrite, reuse=True) as stage,
    ):
        if not stage.is_finished:
            start = time.monotonic()
            found = explain_facts(
                task, facts, asked, named, limit=NUM_FACTS.value, work=work, jobs=run_flags.JOBS.value
            )
            told = {
                "experiment": name,
                "dataset": task.dataset.name,
                "public_name": public_name(task.dataset.checksums),
                "model": task.config.model,
                "num_facts": len(facts) + len(notes),
                "num_known": len(facts),
                "num_first": len(found.chosen),
                **measure(task, found, work),
            }
            files.write_json(stage.place("explanations.json"), {"facts": _named(task, found, max(sizes))})
            # The seconds are this process's only; an earlier one may have done a part.
            stage.finish({**told, "seconds": time.monotonic() - start, "jobs": run_flags.JOBS.value})
        return stage.result(), folder / name


def named(found: ExplainedFacts) -> dict[str, list[Ids]]:
    """By condition, such as "gr-4": the first examples that the method names for each explained fact."""
    return {f"{method}-{k}": found.first(method, k) for method in found.orders for k in ks()}


def rows(changes: Changes, found: ExplainedFacts, ids: Mapping[str, Ids]) -> list[dict[str, Any]]:
    """The rows of the table: trainings in which nothing is changed, then each method and size.

    Args:
        changes: of all conditions.
        found: what is explained.
        ids: by condition, the examples that it removes or gives.
    """
    told: list[dict[str, Any]] = [{"method": name, **changes.row(name)} for name in (NOTHING, OTHER_ORDER)]
    for method in found.orders:
        for k in ks():
            name, counts = f"{method}-{k}", list(map(len, found.first(method, k)))
            controls = {one: f"{one}-{k}" for one in CONTROLS if one in found.orders and one != method}
            about = {"method": method, "k": k, "facts": float(np.mean(counts)), "distinct": len(ids[name])}
            told.append({**about, **found.about.get(method, {}), **changes.row(name, controls)})
    return told


def _named(task: HeadFactsTask, found: ExplainedFacts, most: int) -> list[dict[str, Any]]:
    """The explanations by name."""
    return [
        {
            "fact": task.dataset.names_of(query),
            **{
                method: task.dataset.train_frame.iloc[orders[place][:most]].values.tolist()
                for method, orders in found.orders.items()
            },
        }
        for place, query in enumerate(found.explained)
    ]


def tell(result: Mapping[str, Any], place: pathlib.Path) -> None:
    """Prints what `run` gave."""
    print(heading(result))
    for table in (frame(result), beyond_frame(result)):
        print(as_text(table))
    print(f"Written to {place}.")
