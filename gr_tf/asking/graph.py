"""Questions to a model of triples: why this tail?"""

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.asking.answer import ANY, Alternative, Answer, parse_question, shown
from gr_tf.asking.asker import Asker, checked_trainings, supporting_sets
from gr_tf.asking.check import Check
from gr_tf.asking.page import Drawing, Edge
from gr_tf.attribution.base import Explainer, checked_k
from gr_tf.attribution.connections import connections
from gr_tf.attribution.criage import Criage
from gr_tf.attribution.example_losses import Checkpoint
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.tracin_explainers import TripleTracIn
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.evaluation.retraining import retrain_without
from gr_tf.models.prediction import predict_best, tail_probability
from gr_tf.report.run_dir import versions
from gr_tf.stages.train import TrainedRun
from gr_tf.training.trainer import Trainer

NUM_ALTERNATIVES = 5


class GraphAsker(Asker):
    """Explains why a tail is predicted for a head and a relation."""

    methods: Mapping[str, str] = types.MappingProxyType(
        {
            "gr": "Gradient Rollback: the fall of the probability if what the triple did is undone",
            "tracin": "TracIn at the trained parameters: the triple's pull on the log-probability",
            "criage": "CRIAGE: the fall of the score by a Newton step; for --loss=sigmoid, same tails only",
            "nh": "NH, no explanation but the baseline: random triples that share something with the question",
        }
    )
    parts = ("head", "relation", "tail or ?")

    def __init__(self, trained: TrainedRun) -> None:
        self.trained = trained
        self.triples = trained.triples
        self._known = known_from_train_and_valid(trained.triples)

    def answer(self, question: str, method: str | None = None, k: int = 10) -> Answer:
        """See Asker."""
        method = self.method_of(method)
        checked_k(k)
        query, alternatives = self.predict(question)
        explanation = self.explainer(method).rank(query)
        triples = self.triples
        head, relation, tail = map(triples.label, triples.names_of(query))
        examples = explanation.labeled_frame[["influence", "head", "relation", "tail", "example_id"]]
        examples.insert(4, "connection", connections(query, triples, explanation.example_ids))
        return Answer(
            asked=(head, relation, ANY if alternatives else tail),
            predicted=tail,
            value=explanation.probability,
            unit="probability",
            method=method,
            k=k,
            estimates=method == "gr",
            explanation=explanation,
            examples=examples,
            alternatives=alternatives,
        )

    def predict(self, question: str) -> tuple[Query, tuple[Alternative, ...]]:
        """The query of a question; if its tail is open, the most probable of its alternatives.

        Raises:
            InputError: see answer; also if there is no tail left to predict.
        """
        triples, model, table = self.triples, self.trained.trainer.model, self.trained.table
        head_name, relation_name, tail_name = parse_question(question, self.parts)
        head = triples.entities.id_of(head_name, triples.labels)
        relation = triples.relations.id_of(relation_name, triples.labels)
        if tail_name != ANY:
            return Query(head, relation, triples.entities.id_of(tail_name, triples.labels)), ()
        best = predict_best(model, table, self._known, head, relation, NUM_ALTERNATIVES)
        if not len(best.tails):
            raise InputError(f"({head_name}, {relation_name}, ?) has nothing left to predict: every tail is known.")
        alternatives = tuple(
            Alternative(triples.label(triples.entities.names[tail]), shown(float(probability)))
            for tail, probability in zip(best.tails, best.probabilities, strict=True)
        )
        return Query(head, relation, int(best.tails[0])), alternatives

    def explainer(self, method: str) -> Explainer[Query, TripleExplanation]:
        """The explainer of a method.

        Raises:
            InputError: if the model was not trained for it.
        """
        trained, config = self.trained, self.trained.trainer.config
        model, table = trained.trainer.model, trained.table
        if method == "criage" and config.loss != "sigmoid":
            raise InputError(f"criage explains models trained with --loss=sigmoid; this one's loss is {config.loss}.")
        makers: dict[str, Callable[[], Explainer[Query, TripleExplanation]]] = {
            "gr": trained.explainer,
            "tracin": lambda: TripleTracIn(model, [Checkpoint.of(table, config.learning_rate)], self.triples, config),
            "criage": lambda: Criage(model, table, self.triples),
            "nh": lambda: Neighborhood(model, table, self.triples, config.seed),
        }
        return makers[method]()

    def check(self, answer: Answer, seeds: int = 1, jobs: int = 1) -> list[Check]:
        """See Asker. A seed is one of initial values; all trainings have the explained one's number of epochs."""
        checked_trainings(seeds, jobs)
        query: Query = answer.explanation.query
        removals = supporting_sets(answer)
        # By seed, then: with everything, and without each of the removals.
        looks = [self._looks(query, removals, seed, jobs) for seed in range(seeds)]
        checks = []
        for place, removed in enumerate(removals, start=1):
            predicted = None
            if answer.estimates:
                predicted = self.trained.explainer().rolled_back_together(query, removed) - answer.value
            checks.append(
                Check.of(
                    removed,
                    predicted,
                    [part[0].probability for part in looks],
                    [part[place].probability for part in looks],
                    # Of another tail than the most probable one, a change of the top says nothing.
                    [part[place].top != part[0].top for part in looks] if looks[0][0].top == query.tail else None,
                )
            )
        return checks

    @property
    def notes(self) -> tuple[str, ...]:
        """See Asker."""
        return self.triples.notes

    def drawing(self, answer: Answer) -> Drawing:
        """See Asker."""
        triples = self.triples
        head, relation, tail = triples.names_of(answer.explanation.query)
        frame = answer.frame
        names = triples.names(triples.train[frame.example_id])
        edges = tuple(
            Edge(start, end, triples.label(by), float(influence), int(example))
            for (start, by, end), influence, example in zip(
                names.itertuples(index=False, name=None), frame.influence, frame.example_id, strict=True
            )
        )
        nodes = {head, tail, *names["head"], *names["tail"]}
        query = Edge(head, tail, triples.label(relation))
        return Drawing(query, edges, {node: triples.label(node) for node in sorted(nodes)})

    def facts(self) -> dict[str, Any]:
        """See Asker."""
        triples, trained = self.triples, self.trained
        split = {} if triples.split is None else {"held out": dataclasses.asdict(triples.split)}
        return {
            "dataset": triples.name,
            "folder": triples.data_dir or "ships with gr_tf",
            **{f"SHA-256 of {name}": checksum for name, checksum in triples.checksums.items()},
            **split,
            **{f"note {i}": note for i, note in enumerate(triples.notes, start=1)},
            "training triples": triples.num_examples,
            "training": trained.trainer.config.to_dict(),
            "epoch": trained.epoch,
            "SHA-256 of the training": trained.fingerprint,
            "versions": versions(),
        }

    def look(self, table: np.ndarray, query: Query) -> "Look":
        """What a table of parameters predicts for a query."""
        model = self.trained.trainer.model
        best = predict_best(model, table, self._known, query.head, query.relation, 1)
        return Look(tail_probability(model, table, query), int(best.tails[0]) if len(best.tails) else None)

    def _looks(self, query: Query, removals: Sequence[np.ndarray], seed: int, jobs: int) -> "list[Look]":
        """Of a training with everything, then without each of the removals."""
        # The explained model is trained already.
        todo = [*removals] if seed == 0 else [np.array([], np.int64), *removals]
        looks = self.looks_without(query, todo, jobs, seed)
        return [self.look(self.trained.table, query), *looks] if seed == 0 else looks

    def looks_without(self, query: Query, removals: Sequence[np.ndarray], jobs: int, seed: int = 0) -> "list[Look]":
        """Of trainings without each of some sets of examples.

        Args:
            query: the question and its explained tail.
            removals: example ids.
            jobs: trainings at a time; they change no result.
            seed: added to the explained model's.
        """
        trainer = self.trained.trainer
        if seed:
            trainer = Trainer(self.triples, dataclasses.replace(trainer.config, seed=trainer.config.seed + seed))
        done = dict(
            retrain_without(
                trainer, self.trained.epoch, removals, lambda place, table: (place, self.look(table, query)), jobs
            )
        )
        return [done[place] for place in range(len(removals))]


@dataclasses.dataclass(frozen=True)
class Look:
    """What a model predicts for a query.

    Attributes:
        probability: of the query's tail.
        top: the most probable tail that is not known; None: there is none.
    """

    probability: float
    top: int | None
