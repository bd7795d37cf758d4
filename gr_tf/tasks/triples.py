"""The task of a knowledge graph: (head, relation, ?), (?, relation, tail) or (head, ?, tail), and the probability."""

import dataclasses
import functools
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.data.frames import FrameData
from gr_tf.data.known_tails import KnownTails, known_at, turned
from gr_tf.data.sources import load_triples, public_name, triples_of_frames
from gr_tf.data.triple_split import TripleSplit
from gr_tf.data.triples import COLUMNS, RELATION, TAIL, Query, TripleSet
from gr_tf.errors import InputError, argument, short
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.frequencies import tail_frequencies
from gr_tf.models.parameters import Parameters
from gr_tf.models.places import score_answers
from gr_tf.models.prediction import NO_TAIL, answer_probabilities, predict_top
from gr_tf.models.probability_gradients import probability_gradients
from gr_tf.models.ranking import filtered_ranks, ranking_metrics, ranks_by
from gr_tf.runs.engine import tf
from gr_tf.tasks.batch_triple_losses import BatchTripleLosses
from gr_tf.tasks.drawing import Drawing
from gr_tf.tasks.place_quality import PlaceQuality, both_by_split
from gr_tf.tasks.rolled_back import RolledBack
from gr_tf.tasks.subjects import TripleSubjects
from gr_tf.tasks.task import OPEN, Task, name_in
from gr_tf.tasks.test_predictions import ExplainedPrediction
from gr_tf.tasks.triple_losses import TripleLosses
from gr_tf.tasks.triple_rollback import TripleRollback
from gr_tf.training.batch_triple_steps import BatchTripleSteps
from gr_tf.training.driver import Selection
from gr_tf.training.triple_config import PRESETS, TripleConfig
from gr_tf.training.triple_recipes import own_recipe, public_recipe, variants, wants_batches
from gr_tf.training.triple_steps import TripleSteps
from gr_tf.types import Ids, Tensor


class TripleTask(Task[Query]):
    """Triples and a knowledge graph's model; a query is a triple, one of whose parts is the answer."""

    kind = "triples"
    unit = "probability"
    parts = ("head", "relation", "tail (one of the three may be ?)")
    has_alternatives = True
    has_subjects = True
    config_class = TripleConfig
    split_class = TripleSplit
    query_class = Query
    columns = COLUMNS
    seeds = ("seed", "negatives_seed")
    validated = ("mrr",)
    baseline_name = "the most frequent tails of the relation"
    dataset: TripleSet
    config: TripleConfig
    model: FactorModel
    steps: TripleSteps | BatchTripleSteps

    def __init__(self, dataset: TripleSet, config: TripleConfig, initial: Parameters | None = None) -> None:
        super().__init__(dataset, config, initial)
        if config.reciprocal:
            self.baseline_name = "the most frequent tails, and heads, of the relation"

    @classmethod
    def read(cls, dataset: str | None, data_dir: str | pathlib.Path | None, split: TripleSplit) -> TripleSet:
        """See Task."""
        return load_triples(dataset, data_dir, split)

    @classmethod
    def of_frames(cls, given: FrameData, name: str | None, split: TripleSplit) -> TripleSet:
        """See Task."""
        return triples_of_frames(given, name, split)

    @classmethod
    def own_settings(cls, dataset: TripleSet, asked: Mapping[str, Any]) -> dict[str, Any]:
        """See Task; Nations has the paper's settings (BUILD_NOTES, "Recipes of knowledge graphs")."""
        if public_name(dataset.checksums) == "nations" and not wants_batches(asked):
            return PRESETS["nations"]
        recipe = own_recipe(len(dataset.entities), dataset.num_examples, asked)
        if dataset.candidates is not None and "reciprocal" in recipe:
            # What may be predicted is given, tails: nobody asks for heads.
            recipe["reciprocal"] = False
        return recipe | public_recipe(public_name(dataset.checksums), asked)

    def variants(self, asked: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """See Task; Nations has the paper's settings."""
        return [] if public_name(self.dataset.checksums) == "nations" else variants(asked)

    def _initial_parameters(self) -> Parameters:
        return self.model.initial_parameters(self.config.seed, self.config.dtype)

    def _make_steps(self) -> TripleSteps | BatchTripleSteps:
        steps = BatchTripleSteps if self.config.in_batches else TripleSteps
        return steps(self.dataset, self.model, self.config)

    def first_learning_rate(self, removed: Ids) -> float:
        """See Task; the released program's rule depends on what is removed."""
        return self.config.initial_learning_rate(removed)

    @property
    def selection(self) -> Selection:
        """The epoch with the best validation MRR."""
        return Selection(metric="mrr", patience=self.config.patience)

    @property
    def known(self) -> KnownTails:
        """The filter of filtered ranking."""
        return self._known_at(TAIL)

    def _known_at(self, place: int) -> KnownTails:
        """The same of answers in any place."""
        if place not in self._known:
            self._known[place] = known_at(self.dataset, place)
        return self._known[place]

    @functools.cached_property
    def _known(self) -> dict[int, KnownTails]:
        """Filters by place, those that were needed."""
        return {}

    @functools.cached_property
    def _known_in_both(self) -> KnownTails:
        """The same in both directions, as a model with reciprocal relations is asked."""
        splits = (self.dataset.train, self.dataset.valid, self.dataset.test)
        return KnownTails(len(self.dataset.entities), *(part for s in splits for part in (s, self.model.inverse(s))))

    def accuracy(self, parameters: Parameters, examples: np.ndarray) -> dict[str, float]:
        """Filtered MRR and Hits@k of triples [n, 3]: of tails, or of both directions with reciprocal relations."""
        if self.config.reciprocal:
            return ranking_metrics(np.concatenate(self.ranks_in_both(parameters.table, examples)))
        return ranking_metrics(filtered_ranks(self.model, parameters.table, examples, self.known))

    def ranks_in_both(self, table: np.ndarray, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ranks [n] of the tails and of the heads of triples [n, 3], filtered by all three parts of the data.

        Raises:
            InputError: if the model has no reciprocal relations.
        """
        if not self.config.reciprocal:
            raise InputError(f"heads are ranked by reciprocal relations: train with {argument('reciprocal', True)}.")
        # Candidates are of tails; any entity may be a head.
        heads_model = dataclasses.replace(self.model, candidates=None)
        tails = filtered_ranks(self.model, table, examples, self._known_in_both)
        return tails, filtered_ranks(heads_model, table, self.model.inverse(examples), self._known_in_both)

    def baseline(self, examples: np.ndarray) -> dict[str, float]:
        """See Task; asked and filtered as the model is."""
        if self.config.reciprocal:
            examples = np.concatenate([examples, self.model.inverse(examples)])
        known, train = self.known, self.dataset.train
        if self.config.reciprocal:
            known, train = self._known_in_both, np.concatenate([train, self.model.inverse(train)])
        counts = functools.partial(tail_frequencies, self.model, train)
        return ranking_metrics(ranks_by(counts, examples, known))

    def unusual(self, query: Query) -> str:
        """See Task; `quality` is of tails."""
        return "" if query.place == TAIL else f"{COLUMNS[query.place]}s"

    def unusual_quality(self, parameters: Parameters, query: Query) -> tuple[dict[str, Any], dict[str, Any], str]:
        """See Task; of heads or relations."""
        quality = PlaceQuality(self.model, self.dataset, self._known_at(query.place), query.place)
        parts = {name: getattr(self.dataset, name) for name in self.measured}
        name = "the most frequent relations" if query.place == RELATION else "the most frequent heads of the relation"
        return *both_by_split(quality, parameters.table, parts), name

    def value(self, parameters: Parameters, queries: Sequence[Query]) -> np.ndarray:
        """p(answer | the two other parts), over all answers that may be predicted, known ones included."""
        return answer_probabilities(self.model, parameters.table_tensor, queries)

    def value_gradients(self, parameters: Parameters, queries: Sequence[Query]) -> list[Tensor]:
        """See Task."""
        return [tf.transpose(probability_gradients(self.model, tf.constant(parameters.table), queries), [1, 0, 2])]

    def best(self, parameters: Parameters, query: Query, count: int) -> list[tuple[int, float]]:
        """See Task; answers that training and validation know are out, their probability is not."""
        asked, place = np.array([query.triple]), query.place
        scores = score_answers(self.model, parameters.table_tensor, asked, place)
        is_known = self._known_at(place).mask(*turned(asked, place)[:, :2].T)
        open_scores = np.where(is_known, -np.inf, scores.numpy())[0]
        order = np.argsort(-open_scores, kind="stable")[:count]
        answers = order[~np.isneginf(open_scores[order])]
        return list(zip(answers.tolist(), tf.nn.softmax(scores).numpy()[0, answers].tolist(), strict=True))

    def test_predictions(self, parameters: Parameters) -> list[ExplainedPrediction]:
        """The distinct filtered top-1 predictions of the test rows, in file order.

        Rows for which every entity is a known tail have no prediction; they are left out, and can be counted as
        len(dataset.test) less all `test_lines`.
        """
        heads, relations, golds = self.dataset.test.T
        tails, probabilities = predict_top(self.model, parameters.table, self.known, heads, relations)
        found: dict[Query, ExplainedPrediction] = {}
        for i in np.flatnonzero(tails != NO_TAIL):
            query = Query(int(heads[i]), int(relations[i]), int(tails[i]))
            seen = found.get(query, ExplainedPrediction(query, float(probabilities[i]), (), ()))
            found[query] = dataclasses.replace(
                seen,
                test_lines=(*seen.test_lines, int(self.dataset.test_lines[i])),
                correct=(*seen.correct, bool(golds[i] == query.tail)),
            )
        return list(found.values())

    def consensus(self, parameters: Sequence[Parameters]) -> list[Query]:
        """See Task: of each (head, relation, ?), the tail of the highest mean probability; known ones are out."""
        asked = np.unique(self.dataset.test[:, :2], axis=0)
        heads, relations = asked.T
        each = [tf.nn.softmax(self.model.score_all_tails(one.table, heads, relations)).numpy() for one in parameters]
        probabilities = np.mean(each, axis=0)
        probabilities[self.known.mask(heads, relations)] = -1
        tails = probabilities.argmax(axis=1)
        possible = probabilities.max(axis=1) >= 0
        return [Query(int(h), int(r), int(t)) for (h, r), t, ok in zip(asked, tails, possible, strict=True) if ok]

    def answer_of(self, query: Query) -> int:
        """See Task."""
        return query.answer

    def with_answer(self, query: Query, answer: int) -> Query:
        """See Task."""
        return dataclasses.replace(query, **{COLUMNS[query.place]: answer})

    def have_answer(self, query: Query, example_ids: Ids) -> np.ndarray:
        """See Task: the same head, relation, or tail, whichever is asked for."""
        return np.equal(self.dataset.train[example_ids, query.place], query.answer)

    def answer_place(self, query: Query) -> int:
        """See Task."""
        return query.place

    def all_known(self, query: Query) -> str:
        """See Task."""
        return f"every {'relation' if query.place == RELATION else 'entity'} is a known {COLUMNS[query.place]}"

    def answer_name(self, query: Query, answer: int) -> str:
        """See Task."""
        return self.dataset.label(self.answer_key(query, answer))

    def answer_key(self, query: Query, answer: int) -> str:
        """See Task."""
        names = self.dataset.relations if query.place == RELATION else self.dataset.entities
        return names.names[answer]

    def read_question(self, parts: Sequence[str]) -> tuple[Query, bool]:
        """See Task: names or labels, one of which may be OPEN.

        Raises:
            InputError: also if several are OPEN.
        """
        self.check_parts(parts)
        triples = self.dataset
        asked = [place for place, part in enumerate(parts) if part == OPEN]
        if len(asked) > 1:
            raise InputError(
                f"one of head, relation, and tail can be asked for, not several; got {short(','.join(parts))}."
            )
        ids = [0 if place in asked else triples.id_at(place, name_in(part)) for place, part in enumerate(parts)]
        return Query(*ids, *asked), bool(asked)

    def same_question(self, query: Query, other: Query) -> Query:
        """See Task."""
        return dataclasses.replace(other, place=query.place)

    def asked_by(self, split: str) -> Iterator[tuple[Query, tuple[Collection[str], ...]]]:
        """See Task; names and labels."""
        for triple in getattr(self.dataset, split).tolist():
            query = Query(*triple)
            yield query, tuple((name, self.dataset.label(name)) for name in self.dataset.names_of(query))

    def answer_may_be_open(self, query: Query) -> bool:
        """See Task."""
        names = self.dataset.relations if query.place == RELATION else self.dataset.entities
        return OPEN in names.ids

    def subjects(self, query: Query) -> TripleSubjects:
        """See Task."""
        return TripleSubjects(self.dataset, query)

    def losses(self, dtype: str | None = None) -> TripleLosses:
        """See Task."""
        losses = BatchTripleLosses if self.config.in_batches else TripleLosses
        return losses(self.model, self.dataset, self.config, dtype or self.config.dtype)

    def rolled_back(self, parameters: Parameters, deltas: np.ndarray) -> RolledBack:
        """See Task."""
        self.check_deltas(parameters, deltas)
        return TripleRollback(self.model, parameters.table, deltas, self.dataset)

    def names_of(self, query: Query) -> tuple[str, ...]:
        """The labels of head, relation and tail."""
        return tuple(map(self.dataset.label, self.dataset.names_of(query)))

    def row_of(self, query: Query) -> dict[str, str]:
        """The names by the columns head, relation, tail."""
        return dict(zip(COLUMNS, self.dataset.names_of(query), strict=True))

    def examples(self, example_ids: Ids, query: Query) -> pd.DataFrame:
        """See Task; columns head, relation, tail, connection."""
        frame = self.dataset.train_frame.iloc[example_ids].reset_index(drop=True).map(self.dataset.label)
        triples = self.dataset.train[example_ids].tolist()
        return frame.assign(connection=[self._connection(query, triple) for triple in triples])

    def _connection(self, query: Query, triple: Sequence[int]) -> str:
        """Says what a training triple shares with a query; an entity in another place is named with its place."""
        head, _, tail = triple
        same = [place for place, own in zip(COLUMNS, triple, strict=True) if own == getattr(query, place)]
        parts = [f"same {' and '.join(same)}"] if same else []
        if tail == query.head != query.tail:
            parts.append(f"{self.dataset.label(self.dataset.entities.names[tail])} as its tail")
        if head == query.tail != query.head:
            parts.append(f"{self.dataset.label(self.dataset.entities.names[head])} as its head")
        return "; ".join(parts) or "none"

    def drawing(self, query: Query, value: float, example_ids: Ids, influences: np.ndarray) -> Drawing:
        """See Task; nodes are entities, edges triples."""
        triples = self.dataset
        head, relation, tail = triples.names_of(query)
        names = triples.names(triples.train[example_ids])
        edges = zip(names["head"], names["tail"], names["relation"].map(triples.label), strict=True)
        nodes = {node: triples.label(node) for node in sorted({head, tail, *names["head"], *names["tail"]})}
        return Drawing.of((head, tail, triples.label(relation)), edges, example_ids, influences, nodes)

    def facts(self) -> dict[str, Any]:
        """See Trainable; the checksum of each file too."""
        files = {f"SHA-256 of {name}": checksum for name, checksum in self.dataset.checksums.items()}
        return {**super().facts(), **files}

    def vocabularies(self) -> dict[str, str]:
        """Entities and relations."""
        kinds = (("entities", self.dataset.entities), ("relations", self.dataset.relations))
        return {kind: "".join(f"{name}\n" for name in names.names) for kind, names in kinds}

    def embeddings(self, parameters: Parameters) -> Mapping[str, tuple[np.ndarray, Sequence[str], Sequence[str]]]:
        """Entities, relations, and inverse relations if the model has them."""
        relations = self.dataset.relations.names
        named = {"entities": self.dataset.entities.names, "relations": relations}
        if self.model.reciprocal:
            named["inverse_relations"] = relations
        first = self.model.num_entities
        parts = np.split(parameters.table, [first, first + len(relations)][: len(named) - 1])
        return {
            kind: (vectors, names, list(map(self.dataset.label, names)))
            for (kind, names), vectors in zip(named.items(), parts, strict=True)
        }
