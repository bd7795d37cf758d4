"""What can be trained: a dataset with a model."""

import abc
import dataclasses
import functools
import pathlib
import types
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from gr_tf.data.dataset import Dataset
from gr_tf.data.frames import FrameData
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.settings import Settings
from gr_tf.training import driver
from gr_tf.training.driver import Selection, Training
from gr_tf.training.steps import Steps
from gr_tf.types import Ids

T = TypeVar("T", bound="Trainable")


class Trainable(abc.ABC):
    """A dataset with a model: where the data come from, and how the model is trained.

    Attributes:
        kind: name of the kind of data.
        config_class: of the training's settings.
        split_class: of the settings of how the data are read and held out.
        own_split: of these, what differs from the defaults for one's own data.
        seeds: those settings that are seeds.
        validated: those metrics that are told after each epoch of a training that validates.
        may_continue: whether there are settings under which a check goes on from the trained model.
        continues: whether it does so under these, instead of training anew.
        dataset, config: as named.
        initial: initial values that were given; None: drawn from the configuration's seed.
    """

    kind: ClassVar[str]
    config_class: ClassVar[type[Settings]]
    split_class: ClassVar[type[Settings]]
    own_split: ClassVar[Mapping[str, Any]] = types.MappingProxyType({})
    seeds: ClassVar[tuple[str, ...]] = ("seed",)
    validated: ClassVar[tuple[str, ...]] = ()
    may_continue: ClassVar[bool] = False
    continues: bool = False
    dataset: Any
    config: Any

    def __init__(self, dataset: Dataset, config: Settings, initial: Parameters | None = None) -> None:
        self.dataset, self.config, self.initial = dataset, config, initial

    @functools.cached_property
    def model(self) -> Any:
        """What is trained; made when it is first needed, because some models load Keras."""
        return self.config.make_model(self.dataset)

    def __repr__(self) -> str:
        model = getattr(self.config, "model", type(self.model).__name__)
        return f"{type(self).__name__}({model} on {self.dataset!r})"

    # Where it comes from.

    @classmethod
    def read(cls, dataset: str | None, data_dir: str | pathlib.Path | None, split: Any) -> Dataset:
        """Reads data of the kind: a dataset by name, or one's own from a folder or a file.

        Args:
            dataset: its name; default: one's own is called as its folder or file.
            data_dir: the folder or file; default: the package, or the dataset's official address.
            split: of split_class.

        Raises:
            InputError: if the name is unknown, or the data cannot be read or downloaded.
        """
        raise InputError(f"data of the kind {cls.kind} are not read from files.")

    @classmethod
    def of_frames(cls, given: FrameData, name: str | None, split: Any) -> Dataset:
        """The same of DataFrames; `name` is what to call the dataset."""
        raise InputError(f"data of the kind {cls.kind} are not read from DataFrames.")

    @classmethod
    def own_settings(cls, dataset: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What differs from the configuration's defaults on a dataset: the published settings, or some by its size.

        Args:
            dataset: of the kind.
            asked: settings that go before these, which may depend on them.
        """
        return {}

    def variants(self, asked: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Settings to try on the data, each as what differs from the task's own; the first is {}.

        Args:
            asked: settings that the user names, which are no variant's. Default: none, nothing is tried.
        """
        return ()

    def movable(self) -> tuple[Dataset, Parameters | None]:
        """What another process needs, beside the class and the settings, to make the same task: `dataset`, `initial`.

        Raises:
            InputError: if it cannot be sent to another process.
        """
        # Another object, without what was computed from the data and would be sent with them.
        return dataclasses.replace(self.dataset), self.initial

    # What it is.

    def model_in(self, dtype: str | None) -> Any:
        """The model in a precision; None: the configuration's."""
        return self.model if dtype in (None, self.config.dtype) else self.with_config(dtype=dtype).model

    def _initial_parameters(self) -> Parameters:
        """Initial values, drawn from the configuration's seed."""
        return self.model.initial_parameters(self.config.seed)

    @functools.cached_property
    def initial_parameters(self) -> Parameters:
        """The parameters before the first step, in the configuration's precision.

        Raises:
            InputError: if initial values were given that are of another shape.
        """
        if self.initial is None:
            return self._initial_parameters()
        own, given = self._initial_parameters(), self.initial
        if [array.shape for array in own.arrays] != [array.shape for array in given.arrays]:
            raise InputError(f"the initial table must have shape {own.table.shape}; got {given.table.shape}.")
        return given.astype(self.config.dtype)

    @property
    def num_examples(self) -> int:
        """Number of training examples."""
        return int(self.dataset.num_examples)

    def with_config(self: T, **changes: Any) -> T:
        """The same task with other settings; initial values that were given stay."""
        return type(self)(self.dataset, dataclasses.replace(self.config, **changes), self.initial)

    def with_dataset(self: T, dataset: Dataset) -> T:
        """The same task on other data of the kind."""
        return type(self)(dataset, self.config, self.initial)

    def member(self: T, number: int, names: Sequence[str] | None = None) -> T:
        """A training like this one with `number` added to its seeds, or to those of some names; 0 is this one.

        Initial values that were given are not the other trainings'.
        """
        if number == 0:
            return self
        seeds = {name: getattr(self.config, name) + number for name in (self.seeds if names is None else names)}
        return type(self)(self.dataset, dataclasses.replace(self.config, **seeds))

    def seeded(self: T, seed: int, names: Sequence[str] | None = None) -> T:
        """The training like this one whose seeds are all `seed`; or those of some names (see `seeds`)."""
        return self.with_config(**dict.fromkeys(self.seeds if names is None else names, seed))

    # How it is trained.

    @abc.abstractmethod
    def _make_steps(self) -> Steps:
        """The compiled steps."""

    @functools.cached_property
    def steps(self) -> Steps:
        """The compiled steps."""
        return self._make_steps()

    @property
    def length(self) -> int:
        """The length of a whole training, in the unit of the configuration: epochs, or steps."""
        return int(self.config.epochs)

    def length_of(self, epoch: int) -> int:
        """The length of a training whose result is this epoch's parameters."""
        return epoch

    def check_length(self, epoch: int) -> int:
        """The length of a retraining that checks an explanation of this epoch's parameters; default: the training's."""
        return self.length_of(epoch)

    def first_learning_rate(self, removed: Ids) -> float:
        """The learning rate of the first step of a training without some examples."""
        return float(self.config.learning_rate)

    @property
    def selection(self) -> Selection:
        """Which epoch's parameters are the result of a training that validates."""
        return Selection()

    @property
    def kept_epochs(self) -> Collection[int]:
        """After which epochs the parameters are kept for methods that look at several times of a training."""
        return ()

    @abc.abstractmethod
    def accuracy(self, parameters: Parameters, examples: Any) -> dict[str, float]:
        """Metrics by name, of a split's examples, at least one."""

    def validate(self, parameters: Parameters) -> dict[str, float]:
        """The metrics on the validation examples that an epoch is told and selected by; empty if there are none."""
        told = self.accuracy(parameters, self.dataset.valid) if len(self.dataset.valid) else {}
        return {name: value for name, value in told.items() if name in self.validated}

    def train(
        self,
        *,
        removed: Ids | Sequence[int] = (),
        length: int | None = None,
        seed: int | None = None,
        validating: bool = False,
        **others: Any,
    ) -> Training:
        """Trains; see training.driver.train.

        Args:
            removed: example ids to train without; everything else stays as it was.
            length: default: the configuration's.
            seed: of the order of the examples; default: the configuration's.
            validating: validate after each epoch, and select the best.
            others: start, prefix, store, kept_epochs, checkpoints, on_resume, on_block, on_epoch: see the driver.

        Raises:
            InputError: if an example id or the length is out of range, or a checkpoint is damaged.
            TrainingError: if a loss or a parameter is not finite.
        """
        return driver.train(
            self.steps,
            self.initial_parameters,
            self.dataset.kept(np.asarray(removed, np.int64)),
            self.length if length is None else length,
            seed=self.config.seed if seed is None else seed,
            validate=self.validate if validating else None,
            selection=self.selection if validating else None,
            **others,
        )

    def facts(self) -> dict[str, Any]:
        """Where the model comes from: data, checksums, settings; by name, for people."""
        data = self.dataset
        split = {} if data.split is None else {"how the data are read": data.split.to_dict()}
        return {
            "dataset": data.name,
            "data": data.source or "ships with gr_tf, or was downloaded",
            "SHA-256 of the data": data.checksum,
            **split,
            **{f"note {i}": note for i, note in enumerate(data.notes, start=1)},
            "training examples": data.num_examples,
            "training": self.config.to_dict(),
        }
