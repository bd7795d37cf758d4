"""Questions to a model of ratings: why this rating?"""

import concurrent.futures
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gr_tf.asking.answer import Answer, parse_question
from gr_tf.asking.asker import Asker, checked_trainings, supporting_sets
from gr_tf.asking.check import Check
from gr_tf.asking.page import Drawing, Edge
from gr_tf.attribution.base import Explainer, checked_k
from gr_tf.attribution.example_losses import Checkpoint
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.attribution.rating_neighborhood import RatingNeighborhood
from gr_tf.attribution.tracin_explainers import RatingTracIn
from gr_tf.data.ratings import RatingQuery
from gr_tf.report.run_dir import versions
from gr_tf.stages.train_ratings import TrainedRatings
from gr_tf.training.rating_config import RETRAINING_STEPS


class RatingAsker(Asker):
    """Explains why a rating is predicted for a user and an item."""

    methods: Mapping[str, str] = types.MappingProxyType(
        {
            "fia": "FIA: the fall of the predicted rating by influence functions, in stars",
            "tracin": "TracIn at the trained parameters: the rating's pull on the prediction",
            "nh": "NH, no explanation but the baseline: random ratings of the same user and item",
        }
    )
    parts = ("user", "item")

    def __init__(
        self, trained: TrainedRatings, retraining_steps: int | None = None, fia: FiaSettings | None = None
    ) -> None:
        """
        Args:
            trained: the model.
            retraining_steps: of each training of a check; None: training.rating_config.RETRAINING_STEPS.
            fia: of FIA; None: with the weight decay as strong as in training (BUILD_NOTES 62).
        """
        self.trained = trained
        self.ratings = trained.ratings
        self._fia = fia or FiaSettings(decay="trained")
        self.retraining_steps = retraining_steps or RETRAINING_STEPS[trained.trainer.config.model]

    def answer(self, question: str, method: str | None = None, k: int = 10) -> Answer:
        """See Asker."""
        method = self.method_of(method)
        checked_k(k)
        query = self.ratings.query(*parse_question(question, self.parts))
        explanation = self.explainer(method).rank(query)
        examples = explanation.frame[["influence", "user", "title", "rating", "example_id"]]
        pairs = self.ratings.train.pairs[explanation.example_ids]
        same = np.where(
            pairs[:, 0] == query.user, "same user", np.where(pairs[:, 1] == query.item, "same item", "none")
        )
        examples.insert(4, "connection", same)
        title = self.ratings.title(query.item)
        return Answer(
            asked=(self.ratings.users.names[query.user], title),
            predicted=title,
            value=explanation.prediction,
            unit="stars",
            method=method,
            k=k,
            estimates=method == "fia",
            explanation=explanation,
            examples=examples,
            warnings=tuple(warning for system in explanation.systems for warning in system.warnings),
        )

    def explainer(self, method: str) -> Explainer[RatingQuery, RatingExplanation]:
        """The explainer of a method."""
        trained, config = self.trained, self.trained.trainer.config
        model, parameters = trained.trainer.model, trained.parameters
        makers: dict[str, Callable[[], Explainer[RatingQuery, RatingExplanation]]] = {
            "fia": lambda: Fia(trained.exact_model(), parameters, self.ratings, config.weight_decay, self._fia),
            "tracin": lambda: RatingTracIn(model, [Checkpoint.of(parameters, config.learning_rate)], self.ratings),
            "nh": lambda: RatingNeighborhood(model, parameters, self.ratings, config.seed),
        }
        return makers[method]()

    @property
    def notes(self) -> tuple[str, ...]:
        """See Asker."""
        return self.ratings.notes

    def drawing(self, answer: Answer) -> Drawing:
        """See Asker. An edge goes from a user to an item."""
        ratings, frame = self.ratings, answer.frame
        query: RatingQuery = answer.explanation.query
        nodes = {}

        def edge(user: int, item: int, label: str, *example: Any) -> Edge:
            start, end = f"user {user}", f"item {item}"
            nodes.update({start: ratings.users.names[user], end: ratings.title(item)})
            return Edge(start, end, label, *example)

        asked = edge(query.user, query.item, f"{answer.value:.2f}")
        edges = tuple(
            edge(int(user), int(item), f"{rating:g}", float(influence), int(example))
            for (user, item), rating, influence, example in zip(
                ratings.train.pairs[frame.example_id], frame.rating, frame.influence, frame.example_id, strict=True
            )
        )
        return Drawing(asked, edges, nodes)

    def facts(self) -> dict[str, Any]:
        """See Asker."""
        ratings, trained = self.ratings, self.trained
        return {
            "dataset": ratings.name,
            "folder": ratings.source or "tensorflow-datasets",
            "SHA-256 of the ratings": ratings.checksum,
            **{f"note {i}": note for i, note in enumerate(ratings.notes, start=1)},
            "training ratings": ratings.num_examples,
            "training": trained.trainer.config.to_dict(),
            "SHA-256 of the training": trained.fingerprint,
            "versions": versions(),
        }

    def check(self, answer: Answer, seeds: int = 1, jobs: int = 1) -> list[Check]:
        """See Asker. All trainings go on from the explained model; a seed is one of their batches."""
        checked_trainings(seeds, jobs)
        query: RatingQuery = answer.explanation.query
        removals = supporting_sets(answer)
        trained, trainer = self.trained, self.trained.trainer
        pair = np.array([[query.user, query.item]])

        def predict(task: tuple[int, np.ndarray]) -> float:
            seed, removed = task
            state = trainer.run(trained.state, self.retraining_steps, seed=seed, removed=removed)
            return float(trainer.model.predict_pairs(state.parameters, pair)[0])

        # Not the seed of the training's own batches.
        batch_seeds = [trainer.config.seed + 1 + i for i in range(seeds)]
        tasks = [(seed, removed) for removed in (np.array([], np.int64), *removals) for seed in batch_seeds]
        with concurrent.futures.ThreadPoolExecutor(jobs) as executor:
            predictions = list(executor.map(predict, tasks))
        parts = [tuple(predictions[first : first + seeds]) for first in range(0, len(tasks), seeds)]
        influences = dict(zip(answer.examples.example_id, answer.examples.influence, strict=True))
        return [
            Check.of(removed, -sum(influences[i] for i in removed) if answer.estimates else None, parts[0], after)
            for removed, after in zip(removals, parts[1:], strict=True)
        ]
