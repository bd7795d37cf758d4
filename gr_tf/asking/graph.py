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
from gr_tf.attribution.complete_rollback import CompleteRollback
from gr_tf.attribution.connections import connections
from gr_tf.attribution.criage import Criage
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.example_losses import Checkpoint
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.replay import Replay
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.attribution.tracin_explainers import TripleTracIn
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.attribution.triple_gradients import GradientSimilarity, TripleGradients, TripleInfluence
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.evaluation.retraining import retrain_without
from gr_tf.models.prediction import predict_best, tail_probability
from gr_tf.report.progress import progress
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
            "cosine": "the cosine of the triple's gradient and the question's; for small graphs",
            "influence": "influence functions with all parameters; for small graphs",
            "rollback-all": "Gradient Rollback that also undoes what the triple did to its negatives; for small graphs",
            "replay": "the derivative of the probability by the triple's steps, through all of training; small graphs",
            "criage": "CRIAGE: the fall of the score by a Newton step; for --loss=sigmoid, same tails only",
            "nh": "NH, no explanation but the baseline: random triples that share something with the question",
        }
    )
    parts = ("head", "relation", "tail or ?")

    def __init__(self, trained: TrainedRun) -> None:
        self.trained = trained
        self.triples = trained.triples
        self._known = known_from_train_and_valid(trained.triples)
        self._members: list[Member] = []

    def answer(self, question: str, method: str | None = None, k: int = 10, trainings: int = 1) -> Answer:
        """See Asker.

        Args:
            question, method, k: see Asker.
            trainings: average the influences over so many, of other initial values and negatives; the first is the
                explained model. What several trainings disagree on is told as not certain.

        Raises:
            InputError: see Asker; also if trainings is below 1.
        """
        method = self.method_of(method)
        checked_k(k)
        if trainings < 1:
            raise InputError(f"trainings must be at least 1; got {trainings}.")
        query, alternatives = self.predict(question)
        explained = self._explainer(method, self.members(1)[0])  # Refused before others are trained.
        others = [self._explainer(method, member) for member in self.members(trainings)[1:]]
        explanation = Ensemble([explained, *others]).rank(query)
        triples = self.triples
        head, relation, tail = map(triples.label, triples.names_of(query))
        examples = explanation.labeled_frame[["influence", "head", "relation", "tail", "example_id"]]
        examples.insert(4, "connection", connections(query, triples, explanation.example_ids))
        certain = explanation.sign_is_certain
        warnings: tuple[str, ...] = ()
        doubtful = sum(
            isinstance(one, TripleInfluence) and one.negative_eigenvalues > 0 for one in [explained, *others]
        )
        if doubtful:
            warnings = (
                f"negative curvature in {doubtful} of {trainings} trainings: influences may be wrong, even in sign",
            )
        if certain is not None:
            examples.insert(1, "standard error", explanation.standard_errors)
            examples.insert(2, "sign", np.where(certain, "certain", "not certain"))
            if explanation.num_supporting and not certain[0]:
                warnings += (f"{trainings} trainings do not agree that even the first example supports it",)
        return Answer(
            asked=(head, relation, ANY if alternatives else tail),
            predicted=tail,
            value=tail_probability(self.trained.trainer.model, self.trained.table, query),
            unit="probability",
            method=method,
            k=k,
            estimates=method == "gr",
            explanation=explanation,
            examples=examples,
            alternatives=alternatives,
            warnings=warnings,
            trainings=trainings,
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

    def members(self, trainings: int) -> "list[Member]":
        """The explained model, and others like it from other seeds, with the same number of epochs."""
        config = self.trained.trainer.config
        if not self._members:
            self._members.append(Member(self.trained.trainer, self.trained.table, self.trained.deltas))
        missing = trainings - len(self._members)
        if missing > 0:
            with progress("trainings", trainings, trainings - missing) as bar:
                for seed in range(len(self._members), trainings):
                    trainer = self._trainer(seed, other_negatives=True)
                    store = RollbackStore(self.triples.num_examples, trainer.model.width, config.dtype)
                    table = trainer.run(epochs=self.trained.epoch, store=store).table
                    self._members.append(Member(trainer, table, store.to_numpy()))
                    bar.advance()
        return self._members[:trainings]

    def _trainer(self, seed: int, *, other_negatives: bool) -> Trainer:
        """Of a model like the explained one, `seed` added to its seeds."""
        config = self.trained.trainer.config
        negatives_seed = config.negatives_seed + (seed if other_negatives else 0)
        other = dataclasses.replace(config, seed=config.seed + seed, negatives_seed=negatives_seed)
        return Trainer(self.triples, other)

    def _explainer(self, method: str, member: "Member") -> Explainer[Query, TripleExplanation]:
        """The explainer of a method.

        Raises:
            InputError: if the model was not trained for it, or is too large.
        """
        trainer, table, epochs = member.trainer, member.table, self.trained.epoch
        model, config = trainer.model, trainer.config
        if method == "criage" and config.loss != "sigmoid":
            raise InputError(f"criage explains models trained with --loss=sigmoid; this one's loss is {config.loss}.")
        makers: dict[str, Callable[[], Explainer[Query, TripleExplanation]]] = {
            "gr": lambda: GradientRollback(model, table, member.deltas, self.triples),
            "tracin": lambda: TripleTracIn(model, [Checkpoint.of(table, config.learning_rate)], self.triples, config),
            "cosine": lambda: GradientSimilarity(TripleGradients(model, table, self.triples, config), "cosine"),
            "influence": lambda: TripleInfluence(TripleGradients(model, table, self.triples, config)),
            "rollback-all": lambda: CompleteRollback(trainer, epochs=epochs),
            "replay": lambda: Replay(trainer, epochs=epochs, first_epoch=min(2, epochs)),
            "criage": lambda: Criage(model, table, self.triples),
            "nh": lambda: Neighborhood(model, table, self.triples, config.seed),
        }
        return makers[method]()

    def check(self, answer: Answer, seeds: int = 1, jobs: int = 1) -> list[Check]:
        """See Asker. A seed is one of initial values; all trainings have the explained one's number of epochs.

        What was averaged over several trainings is checked on others: seeds of which none was explained, of initial
        values and of negatives.
        """
        checked_trainings(seeds, jobs)
        query: Query = answer.explanation.query
        removals = supporting_sets(answer)
        assert isinstance(answer.explanation, TripleExplanation)
        members = self.members(answer.explanation.num_trainings)
        # By seed, then: with everything, and without each of the removals.
        first = len(members) if len(members) > 1 else 0
        looks = [
            self._looks(query, removals, seed, jobs, other_negatives=first > 0) for seed in range(first, first + seeds)
        ]
        checks = []
        for place, removed in enumerate(removals, start=1):
            predicted = None
            if answer.estimates:
                predicted = float(np.mean([self._rolled_back(member, query, removed) for member in members]))
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

    def _rolled_back(self, member: "Member", query: Query, removed: np.ndarray) -> float:
        """The change of the probability when some examples are rolled back together."""
        explainer = GradientRollback(member.trainer.model, member.table, member.deltas, self.triples)
        before = tail_probability(member.trainer.model, member.table, query)
        return explainer.rolled_back_together(query, removed) - before

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

    def _looks(
        self, query: Query, removals: Sequence[np.ndarray], seed: int, jobs: int, *, other_negatives: bool
    ) -> "list[Look]":
        """Of a training with everything, then without each of the removals."""
        # The explained model is trained already.
        todo = [*removals] if seed == 0 else [np.array([], np.int64), *removals]
        looks = self.looks_without(query, todo, jobs, seed, other_negatives=other_negatives)
        return [self.look(self.trained.table, query), *looks] if seed == 0 else looks

    def looks_without(
        self,
        query: Query,
        removals: Sequence[np.ndarray],
        jobs: int,
        seed: int = 0,
        *,
        other_negatives: bool = False,
    ) -> "list[Look]":
        """Of trainings without each of some sets of examples.

        Args:
            query: the question and its explained tail.
            removals: example ids.
            jobs: trainings at a time; they change no result.
            seed: added to the explained model's.
            other_negatives: add it to that of the negatives too.
        """
        trainer = self.trained.trainer
        if seed:
            trainer = self._trainer(seed, other_negatives=other_negatives)
        done = dict(
            retrain_without(
                trainer, self.trained.epoch, removals, lambda place, table: (place, self.look(table, query)), jobs
            )
        )
        return [done[place] for place in range(len(removals))]


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """One of the trainings that are explained together.

    Attributes:
        trainer: of it.
        table: [num_rows, width], its parameters.
        deltas: [num_examples, 3, width], its rollback store.
    """

    trainer: Trainer
    table: np.ndarray
    deltas: np.ndarray


@dataclasses.dataclass(frozen=True)
class Look:
    """What a model predicts for a query.

    Attributes:
        probability: of the query's tail.
        top: the most probable tail that is not known; None: there is none.
    """

    probability: float
    top: int | None
