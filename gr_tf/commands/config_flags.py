"""Makes flags from classes of settings: a setting is described once, in the docstring of its class."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from absl import flags

from gr_tf.commands.help_text import plain
from gr_tf.errors import InputError, short
from gr_tf.settings import Settings, described, kind_of

_DEFINE: dict[type, Callable[..., Any]] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    tuple: flags.DEFINE_list,
}


def define(configs: Mapping[str, type[Settings]], *, defaults: bool = True) -> None:
    """Defines a flag for every setting of some classes; a setting of several classes has one flag with all their texts.

    If a flag is not given, the setting's value is the dataset's or the class's own.

    Args:
        configs: classes by what they are for, such as "triples"; "" if people need not be told.
        defaults: whether help shows the classes' own values.
    """
    texts: dict[str, dict[str, list[str]]] = {}
    makers: dict[str, tuple[type, list[str]]] = {}
    for what, config in configs.items():
        for setting, text in described(config).items():
            name = config.flag_of(setting)
            if name in flags.FLAGS:
                # Another program in this process may have defined it; the settings check their own choices.
                parser: Any = flags.FLAGS[name].parser
                if flags.FLAGS.find_module_defining_flag(name) == __name__ and isinstance(parser, flags.EnumParser):
                    more = config.choices.get(setting, ())
                    parser.enum_values.extend(choice for choice in more if choice not in parser.enum_values)
                continue
            default = getattr(config, setting, None)
            told = f"{text} Default: {plain(default)}." if defaults and default is not None else text
            texts.setdefault(name, {}).setdefault(told, []).append(what)
            kind, choices = makers.setdefault(name, (kind_of(config, setting), []))
            choices += [choice for choice in config.choices.get(setting, ()) if choice not in choices]
    for name, (kind, choices) in makers.items():
        help_text = " ".join(
            text if len(texts[name]) == 1 or not all(whats) else f"For {' and '.join(whats)}: {text}"
            for text, whats in texts[name].items()
        )
        if choices:
            flags.DEFINE_enum(name, None, choices, help_text, module_name=__name__)
        else:
            _DEFINE[kind](name, None, help_text, module_name=__name__)


def asked(config: type[Settings]) -> dict[str, Any]:
    """The settings of a class whose flags were given.

    Raises:
        InputError: if a list contains anything but whole numbers.
    """
    found = {}
    for setting in described(config):
        name = config.flag_of(setting)
        value = flags.FLAGS[name].value if name in flags.FLAGS else None
        if value is not None:
            found[setting] = whole_numbers(name, value) if kind_of(config, setting) is tuple else value
    return found


def whole_numbers(name: str, texts: Collection[str]) -> tuple[int, ...]:
    """Reads a flag's list of whole numbers.

    Raises:
        InputError: if an element is not one.
    """
    try:
        return tuple(int(text) for text in texts)
    except ValueError:
        raise InputError(f"--{name} must be whole numbers; got {short(','.join(texts))}.") from None


def refuse_flags(config: type[Settings], why: str, unless: Collection[type[Settings]] = ()) -> None:
    """Refuses the flags of a class of settings, except those that the classes `unless` have too.

    Raises:
        InputError: if such a flag was given; the message names it.
    """
    shared = {other.flag_of(setting) for other in unless for setting in other.names()}
    for name in map(config.flag_of, config.names()):
        if name not in shared and name in flags.FLAGS and flags.FLAGS[name].present:
            raise InputError(f"--{name} {why}")


def by_kinds(classes: Mapping[str, type[Settings]]) -> Iterable[tuple[str, list[str]]]:
    """Groups the flags of classes of settings: the kinds that have them, in words, with the names of the flags."""
    kinds: dict[str, list[str]] = {}
    for kind, config in classes.items():
        for name in map(config.flag_of, config.names()):
            kinds.setdefault(name, []).append(kind)
    groups: dict[str, list[str]] = {}
    for name, (*others, last) in kinds.items():
        groups.setdefault(" and ".join(filter(None, [", ".join(others), last])), []).append(name)
    return groups.items()
