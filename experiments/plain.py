"""The plain way of writing what the library does, with which the benchmark compares it."""

from collections.abc import Callable, Sequence

import numpy as np

from gr_tf.data.negatives import draw_candidates
from gr_tf.data.triples import Query
from gr_tf.runs.engine import tf
from gr_tf.tasks.example_losses import ExampleLosses
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import Checkpoint, Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.losses import softmax_loss
from gr_tf.types import Tensor


def training_steps(task: TripleTask) -> Callable[[int], None]:
    """Trains a number of steps: each is a tf.function call with Keras's Adam; tables are copied before and after."""
    triples, model, config = task.dataset, task.model, task.config
    n, table = model.num_entities, task.initial_parameters.table
    entities, relations = tf.Variable(table[:n]), tf.Variable(table[n:])
    optimizer = tf.keras.optimizers.Adam(config.learning_rate, epsilon=1e-7)
    optimizer.build([entities, relations])
    influence = np.zeros((triples.num_examples, 3, model.width), config.dtype)

    @tf.function
    def step(head: Tensor, relation: Tensor, candidates: Tensor) -> None:
        with tf.GradientTape() as tape:
            scores = model.score(entities[head], relations[relation], tf.gather(entities, candidates))
            loss = softmax_loss(scores)
        gradients = tape.gradient(loss, [entities, relations])
        optimizer.apply_gradients(zip(map(tf.convert_to_tensor, gradients), [entities, relations], strict=True))

    candidates = tf.constant(draw_candidates(triples.train, 0, n, config.num_negatives, config.negatives_seed))
    train = tf.constant(triples.train)

    def steps(count: int) -> None:
        for i in range(count):
            head, relation, tail = triples.train[i]
            before = np.array(entities), np.array(relations)
            step(train[i, 0], train[i, 1], candidates[i])
            after = entities.numpy(), relations.numpy()
            for place, (table, row) in enumerate(((0, head), (1, relation), (0, tail))):
                influence[i, place] += after[table][row] - before[table][row]

    return steps


def rating_training_steps(task: RatingTask) -> Callable[[int], None]:
    """Trains a number of steps: each is a tf.function call with Keras's Adam."""
    ratings, model, config = task.dataset, task.model, task.config
    table, *network = variables = [tf.Variable(array) for array in task.initial_parameters.arrays]
    optimizer = tf.keras.optimizers.Adam(config.learning_rate, epsilon=1e-8)
    optimizer.build(variables)
    rows = tf.constant(model.rows_of(ratings.train.pairs))
    values = tf.constant(ratings.train.values, config.dtype)

    @tf.function
    def step(batch: Tensor) -> None:
        users, items = tf.unstack(tf.gather(rows, batch), axis=1)
        with tf.GradientTape() as tape:
            predicted = model.predict(tf.gather(table, users), tf.gather(table, items), network)
            decay = tf.reduce_sum(model.row_penalty.astype(config.dtype) * tf.square(table))
            for penalty, array in zip(model.network_penalty, network, strict=True):
                decay += penalty * tf.reduce_sum(tf.square(array))
            error = tf.reduce_mean(tf.square(predicted - tf.gather(values, batch)))
            loss = error + config.weight_decay / 2 * decay
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    order = np.random.default_rng(0).permutation(ratings.num_examples)

    def steps(count: int) -> None:
        for i in range(count):
            first = i * config.batch_size % (ratings.num_examples - config.batch_size)
            step(tf.constant(order[first : first + config.batch_size]))

    return steps


def tracin(losses: ExampleLosses, checkpoint: Checkpoint) -> Callable[[Sequence[np.ndarray], int], np.ndarray]:
    """Scores training sequences for a test sequence: computes and keeps each gradient, then their dot products."""
    arrays = [tf.constant(array) for array in checkpoint.parameters.arrays]

    @tf.function
    def gradient(history: Tensor, target: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            tape.watch(arrays[1:])
            loss = losses.losses(tf.gather(arrays[0], history), arrays[1:], (history, target))[0]
        return tf.concat([tf.reshape(part, [-1]) for part in tape.gradient(loss, arrays[1:])], axis=0)

    def score(test: Sequence[np.ndarray], count: int) -> np.ndarray:
        kept = [gradient(*(tf.constant(array[i : i + 1]) for array in losses.train)).numpy() for i in range(count)]
        scores: np.ndarray = checkpoint.learning_rate * np.stack(kept) @ gradient(*map(tf.constant, test)).numpy()
        return scores

    return score


def explaining(trained: Trained, most: int | None = None) -> Callable[[Sequence[Query]], float]:
    """Explains queries: assigns a rolled-back table for one triple at a time, and asks the model again.

    Args:
        trained: the model, with the deltas of its training.
        most: how many of each query's adjacent triples to roll back; None: all.

    Returns:
        A function of queries that returns the share of their adjacent triples that it rolled back.
    """
    task, table, deltas = trained.task, trained.parameters.table, trained.deltas
    assert deltas is not None
    model, triples = task.model, task.dataset
    variable = tf.Variable(table)

    @tf.function
    def probability(head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        return tf.nn.softmax(model.score_all_tails(variable, head[None], relation[None]))[0, tail]

    def explain(queries: Sequence[Query]) -> float:
        adjacent = [task.related(query) for query in queries]
        done = [ids[:most] for ids in adjacent]
        for query, example_ids in zip(queries, done, strict=True):
            ids = [tf.constant(i) for i in (query.head, query.relation, query.tail)]
            influences = {}
            before = float(probability(*ids))
            for example_id in example_ids:
                rolled_back = table.copy()
                np.subtract.at(rolled_back, model.rows_of(triples.train[example_id]), deltas[example_id])
                variable.assign(rolled_back)
                influences[int(example_id)] = before - float(probability(*ids))
            variable.assign(table)
            sorted(influences.items(), key=lambda item: -item[1])
        return sum(map(len, done)) / sum(map(len, adjacent))

    return explain
