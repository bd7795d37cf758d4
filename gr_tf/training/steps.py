"""The interface between the training driver and a kind of data: compiled steps, in blocks."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.types import Ids, State, Tensor


@dataclasses.dataclass(frozen=True)
class Block:
    """Some consecutive steps of a training, done in one call of a compiled graph.

    Attributes:
        number: its place in the training.
        first: its first step, counted from 0.
        count: how many steps it has.
        ends: the epoch that ends with it, counted from 1; None: none does.
    """

    number: int
    first: int
    count: int
    ends: int | None


class Trace(NamedTuple):
    """What the steps of a block did.

    Attributes:
        losses: one for each step of the block, 0 where a step was skipped.
        deltas: tf.IndexedSlices, values [n, rows, width]: how the steps on examples [n] changed the rows of these
            examples; None where the steps do not give changes.
        num_losses: how many of the losses count.
        lipschitz: the largest norm of the score's derivative.
    """

    losses: np.ndarray
    deltas: "tf.IndexedSlices | None"
    num_losses: int
    lipschitz: float = 0.0


class Backward(abc.ABC):
    """Takes derivatives of predictions back over the steps of a training, last block first.

    An adjoint has the derivatives with respect to a state; only the newest is valid, as of states.

    Attributes:
        seconds: about how long one core takes for a step and one prediction, what is trained again included.
        numbers: how many numbers of a state each parameter has.
        states: how many states it holds at a time while it goes back over a block.
    """

    seconds: float
    numbers: int = 2
    states: int = 0

    @abc.abstractmethod
    def start(self, arrays: dict[str, np.ndarray], gradients: Sequence[Tensor]) -> Any:
        """The adjoint after the last step.

        Args:
            arrays: the last state, from Steps.to_arrays.
            gradients: of n predictions by each array of the parameters, [n, *shape] each.
        """

    @abc.abstractmethod
    def back(
        self, arrays: dict[str, np.ndarray], block: Block, seed: int, kept: np.ndarray, adjoint: Any
    ) -> tuple[Any, Ids, np.ndarray]:
        """Goes back over a block.

        Args:
            arrays: the state before the block.
            block, kept: see Steps.run.
            seed: of the order.
            adjoint: after the block.

        Returns:
            The adjoint before the block; the training examples [m] of the block, each once; and the derivatives [n, m]
            of the predictions with respect to the weights of their losses in the block.
        """


class Curvature(abc.ABC):
    """First and second derivatives of what the steps of a task minimise, the mean loss over its examples.

    What is drawn anew in each epoch is drawn once here, as in the first epoch; nothing is dropped out. Vectors are of
    the shape [num_rows, width] of the table.
    """

    @abc.abstractmethod
    def product(self, parameters: Parameters, vector: np.ndarray, *, gauss_newton: bool) -> np.ndarray:
        """The Hessian of the mean loss times a vector.

        Args:
            parameters: where.
            vector: [num_rows, width].
            gauss_newton: leave out the second derivatives of the scores: what remains has no negative eigenvalue.
        """

    @abc.abstractmethod
    def row_curvatures(self, parameters: Parameters) -> np.ndarray:
        """[num_rows], the mean of each row's numbers on the Gauss-Newton matrix's diagonal; estimated, at least 0."""

    @abc.abstractmethod
    def derivatives(self, parameters: Parameters, vector: np.ndarray) -> np.ndarray:
        """[num_examples], the derivatives of each example's loss along a vector."""


class Steps(abc.ABC):
    """The compiled steps of one task: its model, its data, its optimizer.

    A state is what the next step depends on. It may be changed in place: only the newest is valid. Many trainings
    may go on at a time, each with its own state.

    Attributes:
        on_one_example: whether each step is on one example; see devices.of_steps.
        rows_per_example: how many rows the changes have that `run` gives for each example; 0: it gives no changes.
        can_go_on: whether a training may start from the last state of another one.
        replayed_with: of steps that nothing goes back over: what the kind's trainings need for that, for people; empty:
            the methods that replay know.
    """

    on_one_example: bool = False
    rows_per_example: int = 0
    can_go_on: bool = True
    replayed_with: str = ""

    def backward(self) -> Backward | None:
        """What takes derivatives back over the steps; None: nothing does."""
        return None

    def curvature(self) -> Curvature | None:
        """Second derivatives of what the steps minimise; None: nothing gives them."""
        return None

    @abc.abstractmethod
    def blocks(self, length: int) -> Sequence[Block]:
        """The blocks of a whole training; length is in the unit of the configuration: epochs, or steps."""

    @abc.abstractmethod
    def start(self, parameters: Parameters, removed: Ids, seed: int) -> State:
        """The state before the first step.

        Args:
            parameters: the initial values.
            removed: example ids that the training goes without.
            seed: of the order of the examples, if it has one.
        """

    @abc.abstractmethod
    def run(self, state: State, block: Block, kept: np.ndarray) -> tuple[State, Trace]:
        """Does the steps of a block.

        Args:
            state: from `start`, `run` or `restore`.
            block: one of `blocks`.
            kept: bool [num_examples], whether an example is trained on.
        """

    def run_untracked(self, state: State, block: Block, kept: np.ndarray) -> tuple[State, Trace]:
        """The same as `run`, to the bit, where nobody asks for the changes; perhaps without them, and faster."""
        return self.run(state, block, kept)

    @abc.abstractmethod
    def parameters(self, state: State) -> Parameters:
        """The parameters after the last step done."""

    @abc.abstractmethod
    def to_arrays(self, state: State) -> dict[str, np.ndarray]:
        """The state for a checkpoint."""

    @abc.abstractmethod
    def restore(self, arrays: dict[str, np.ndarray], removed: Ids, seed: int) -> State:
        """The state that `to_arrays` gave."""

    @abc.abstractmethod
    def name_of(self, state: State, block: Block, place: int) -> str:
        """Names the step, and the example or batch, of the loss at a place in a block, for an error's message."""

    def first_block_with(self, removed: Ids) -> int:
        """The last block that can be shown to begin in the same state without these examples as with them.

        Of the first epoch; 0 is always right.
        """
        return 0


def check_length(length: int, most: int, unit: str) -> None:
    """
    Raises:
        InputError: if a training's length is none from 1 to `most`.
    """
    if not 1 <= length <= most:
        raise InputError(f"{unit} must be from 1 to the configuration's {most}; got {length}.")
