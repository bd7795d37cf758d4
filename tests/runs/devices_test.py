"""Where TensorFlow computes; and that a GPU could compute all that training in batches needs."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.eager import context
from tensorflow.python.framework import kernels

from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.runs import devices
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig
from tests.commands.program import ROOT


@pytest.fixture
def as_chosen() -> Iterator[None]:
    before = devices.chosen()
    yield
    devices._chosen["device"] = before


def test_steps_on_one_example_stay_on_the_processor(as_chosen: None) -> None:
    def place(*, on_one_example: bool) -> str:
        graph = tf.Graph()
        with graph.as_default(), devices.of_steps(on_one_example=on_one_example):
            return str(tf.constant(1.0).op.device)

    assert place(on_one_example=True) == "/device:CPU:0"
    assert place(on_one_example=False) == ""
    devices._chosen["device"] = "gpu"
    assert place(on_one_example=True) == ""


def test_the_trainings_on_one_example_say_so(toy: TripleSet, toy_ratings: RatingSet) -> None:
    assert TripleTask(toy, TripleConfig(dim=2, num_negatives=2)).steps.on_one_example
    assert not TripleTask(toy, TripleConfig(dim=2, num_negatives=2, batch_size=8)).steps.on_one_example
    assert not RatingTask(toy_ratings, RatingConfig(dim=2, steps=4, batch_size=8)).steps.on_one_example


def test_a_gpu_that_is_not_there_is_missed(as_chosen: None) -> None:
    with pytest.raises(InputError, match="device is gpu, and TensorFlow finds none"):
        devices.choose("gpu")
    with pytest.raises(InputError, match="device must be one of auto, cpu, gpu; got 'tpu'"):
        devices.choose("tpu")
    assert devices.chosen() == "auto"
    devices.choose("auto")


def has_gpu_kernel(node: NodeDef) -> bool:
    """Whether an operation can be computed on a GPU with its dtypes, where it says which."""
    for kernel in kernels.get_registered_kernels_for_op(node.op).kernel:
        allowed = ((one.name, one.allowed_values.list.type) for one in kernel.constraint)
        if kernel.device_type in ("GPU", "DEFAULT") and all(
            node.attr[name].type in types for name, types in allowed if node.attr[name].HasField("type")
        ):
            return True
    return False


TASKS: dict[str, Callable[[TripleSet, RatingSet, SequenceSet], Task[Any]]] = {
    "triples": lambda toy, ratings, sequences: TripleTask(
        toy, TripleConfig(dim=2, num_negatives=2, epochs=1, batch_size=8, optimizer="adagrad")
    ),
    "triples, adam, 1vsall": lambda toy, ratings, sequences: TripleTask(
        toy, TripleConfig(model="complex", dim=2, epochs=1, batch_size=8, candidates="1vsall")
    ),
    "mf": lambda toy, ratings, sequences: RatingTask(ratings, RatingConfig(dim=2, steps=4, batch_size=8)),
    "ncf": lambda toy, ratings, sequences: RatingTask(
        ratings, RatingConfig(model="ncf", dim=2, optimizer="adagrad", epochs=1, batch_size=8)
    ),
    "lstm": lambda toy, ratings, sequences: SequenceTask(
        sequences, SequenceConfig(dim=2, hidden=2, epochs=1, kept_epochs=())
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_training_in_batches_needs_nothing_that_only_a_processor_has(
    name: str, toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet
) -> None:
    eager = context.context()
    before = set(eager.list_function_names())
    task = TASKS[name](toy, toy_ratings, toy_sequences)
    task.train()
    graphs = [eager.get_function_def(name) for name in set(eager.list_function_names()) - before]
    nodes = [node for graph in graphs for node in graph.node_def]
    assert len(nodes) > 50
    assert not {(node.op, node.attr["T"].type) for node in nodes if not has_gpu_kernel(node)}


def test_a_kernel_of_the_processor_only_is_told() -> None:
    def op(name: str, **types: int) -> NodeDef:
        node = NodeDef(op=name)
        for attribute, value in types.items():
            node.attr[attribute].type = value
        return node

    assert has_gpu_kernel(op("MatMul", T=tf.float32.as_datatype_enum))
    assert not has_gpu_kernel(op("MatMul", T=tf.string.as_datatype_enum))
    assert not has_gpu_kernel(op("InTopK"))


@pytest.mark.slow
def test_a_program_is_told_where_to_compute() -> None:
    command = [sys.executable, "-m", "gr_tf", "train", "--dataset=nations", "--epochs=1", "--device=gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("gr_tf train: error: --device is gpu, and TensorFlow finds none")
