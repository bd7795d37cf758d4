"""The registry of methods: what each is called, what it serves, needs and costs.

A method is one file of this package, with its entry; nothing else lists the methods. Commands, evaluations, tests
and documents read METHODS.
"""

import dataclasses
import importlib
import os
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from gr_tf import attribution
from gr_tf.attribution.base import Explainer
from gr_tf.errors import InputError, argument, short
from gr_tf.settings import Settings
from gr_tf.tasks.kinds import KINDS, in_words_of, served_as
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

# Makes an explainer of a trained model, with settings of the method.
Make = Callable[..., Explainer[Any]]


@dataclasses.dataclass(frozen=True)
class Cost:
    """About what a method needs for a task.

    Attributes:
        memory: bytes.
        seconds: time of one core before the first answer; None if it is short.
        at_most: whether it may take less, as where a training ends early.
        limited: whether a method that takes longer than MOST_SECONDS is refused; else the user is told the time, and
            decides.
    """

    memory: float
    seconds: float | None = None
    at_most: bool = False
    limited: bool = True

    @property
    def time(self) -> str:
        """The seconds, for people."""
        return f"{'at most ' if self.at_most else ''}about {_duration(self.seconds or 0)}"


@dataclasses.dataclass(frozen=True)
class Method:
    """One method for one kind of data, or several.

    Attributes:
        name: in commands and tables.
        kinds: of data that it serves.
        needs: of a training: "deltas" (what each example changed), "checkpoints" (kept epochs, if there are any),
            "gradients", "hessian", "steps" (single ones, that can be replayed), "trajectory" (any steps that can be
            gone back over), "nothing".
        unit: of an influence.
        title: what the method is, for people who have read its name.
        estimates: whether an influence estimates how much the prediction falls without the example.
        make: see Make.
        cost: of a task; None: it is small whatever the data.
        cost_again: of a training, where its run's folder keeps part of the work; None where it does not.
        instead: the method to use where this one is too large for the data, or does not serve the task.
        default_for: the kinds for which it is the default.
        check: refuses tasks of its kinds that it does not serve, with an InputError.
        check_query: refuses queries that it does not explain, with an InputError.
        settings: its default settings, which `make` takes as an argument of this name; None: it has none.
        check_settings: refuses settings that do not suit a task, with an InputError.
        averages: whether it does trainings of its own, from other seeds, and averages over them.
    """

    name: str
    kinds: tuple[str, ...]
    needs: str
    unit: str
    title: str
    make: Make
    estimates: bool = False
    cost: Callable[[Task[Any]], Cost] | None = None
    cost_again: Callable[[Trained], Cost | None] = lambda trained: None
    instead: str = "nh"
    default_for: tuple[str, ...] = ()
    check: Callable[[Task[Any]], None] = lambda task: None
    check_query: Callable[[Any], None] = lambda query: None
    settings: Settings | None = None
    check_settings: Callable[[Task[Any], Any], None] = lambda task, settings: None
    averages: bool = False


METHODS: dict[str, dict[str, Method]] = {}
# The default for models that gr_tf did not train; and the needs that only a training by gr_tf meets.
OF_GIVEN, _OF_TRAININGS = "tracin", ("deltas", "steps", "trajectory")
# A method that takes longer is refused, if its cost is limited.
MOST_SECONDS = 600


def register(name: str, **entry: Any) -> Callable[[Make], Make]:
    """Puts what follows, an Explainer class or a function that makes one, into METHODS.

    Args:
        name: of the method.
        entry: the other attributes of Method.
    """

    def registered(make: Make) -> Make:
        method = Method(name, make=make, **entry)
        for kind in method.kinds:
            if name in METHODS.setdefault(kind, {}):
                raise ValueError(f"method {name!r} is registered twice for {kind}.")
            METHODS[kind][name] = method
        return make

    return registered


def methods_of(kind: str) -> Mapping[str, Method]:
    """The methods for a kind of data by name: the default first, then in alphabetical order, and NH last.

    A kind may be served as another one is, see Task.served_as; then titles are in its own words.
    """
    _load_all()
    asked, unmet = kind, KINDS[kind].unmet if kind in KINDS else ()
    kind = served_as(kind)
    found = {name: entry for name, entry in METHODS.get(kind, {}).items() if entry.needs not in unmet}
    if asked != kind:
        found = {
            name: dataclasses.replace(entry, title=in_words_of(asked, entry.title)) for name, entry in found.items()
        }
    return {
        name: found[name]
        for name in sorted(found, key=lambda name: (kind not in found[name].default_for, name == "nh", name))
    }


def method_of(kind: str, name: str | None) -> Method:
    """The method of a name; None: the default.

    Raises:
        InputError: if there is no such kind, or no method of this name for it.
    """
    methods = methods_of(kind)
    if not methods:
        raise InputError(f"no method serves {kind}; the kinds of data that are served are {', '.join(METHODS)}.")
    if name is None:
        return next(iter(methods.values()))
    if name not in methods:
        raise InputError(f"{argument('method')} must be one of {', '.join(methods)} for {kind}; got {short(name)}.")
    return methods[name]


def method_for(kind: str, name: str | None, *, given: bool) -> Method:
    """The method of a name for a model; None: the default, of a given model OF_GIVEN.

    Args:
        kind: of the data.
        name: of the method.
        given: whether gr_tf did not train the model.

    Raises:
        InputError: see method_of; also if the method needs to know the training, and the model was given.
    """
    method = method_of(kind, name or (OF_GIVEN if given else None))
    if given and method.needs in _OF_TRAININGS:
        raise InputError(
            f"method {method.name!r} needs a training by gr_tf; the training of a given model is not known: use "
            f"{argument('method', OF_GIVEN)}."
        )
    return method


def refuse_averaging(method: Method, trainings: int) -> None:
    """Refuses to average over trainings what is such an average already.

    Raises:
        InputError: if there are several.
    """
    if method.averages and trainings > 1:
        raise InputError(
            f"{argument('method', method.name)} averages over trainings of its own: leave out {argument('trainings')}."
        )


def asked_with(method: Method, settings: Settings | None) -> Method:
    """The method as it is asked with settings; its check refuses tasks that these do not suit, too. None: its own."""

    def check(task: Task[Any]) -> None:
        method.check(task)
        method.check_settings(task, settings)

    return method if settings is None else dataclasses.replace(method, check=check)


def check_task(method: Method, task: Task[Any]) -> None:
    """Refuses a method that does not serve a task or is too large for it; asked before anything is trained.

    Raises:
        InputError: naming what it serves; see also check_size.
    """
    method.check(task)
    check_size(method, task)


def check_size(method: Method, task: Task[Any]) -> None:
    """Refuses a method that is too large for a task.

    Raises:
        InputError: naming the limit, the estimate, and what to use instead.
    """
    if method.cost is None:
        return
    advice = f": use {argument('method', method.instead)}" if method.instead in methods_of(task.kind) else ""
    cost, free = method.cost(task), available_memory()
    told = f"method {method.name!r} would need about {_bytes(cost.memory)}"
    if cost.seconds is not None:
        told += f" and {_duration(cost.seconds)}"
    told += f" on this data ({task.num_examples:,} examples)"
    if cost.memory > free:
        raise InputError(f"{told}; {_bytes(free)} of memory are free{advice}.")
    if cost.limited and cost.seconds is not None and cost.seconds > MOST_SECONDS:
        raise InputError(f"{told}; the limit is {_duration(MOST_SECONDS)}{advice}.")


def explainer(trained: Trained, name: str | None = None, **settings: Any) -> Explainer[Any]:
    """An explainer of a trained model.

    Args:
        trained: the model.
        name: of the method; None: the default of the model's kind.
        settings: of the method, by its maker's arguments.

    Raises:
        InputError: if there is no such method for the kind, the model was not trained for it, or it is too large.
    """
    method = method_for(trained.task.kind, name, given=bool(trained.given))
    check_task(method, trained.task)
    made: Explainer[Any] = method.make(trained, **settings)
    return made


def available_memory() -> float:
    """About how many bytes of memory are free."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return 1024.0 * int(line.split()[1])
    except OSError:
        pass
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) / 2


def _load_all() -> None:
    """Imports every file of the package, so that each puts its methods into METHODS."""
    for module in pkgutil.iter_modules(attribution.__path__):
        importlib.import_module(f"{attribution.__name__}.{module.name}")


def _bytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
