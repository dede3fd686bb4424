"""What Keras does with its variables while a model is built, and draws for them."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from trials.engines.model import GENERATOR
from trials.environment import import_keras

ABSENT = object()


@dataclass
class Seen:
    """What a build did with variables, and which default seeds Keras drew for it."""

    initializers: list[tuple[Any, Any]] = field(default_factory=list)
    "Variables, and what gave them their first values."
    seeds: list[int] = field(default_factory=list)
    touched: bool = False
    "Whether it looked at values, or changed some: what it does then may depend on them."


@contextmanager
def watched() -> Iterator[Seen]:
    """Within: it is seen what Keras does with its variables, and draws for them."""
    import_keras()
    from keras.src.backend import Variable, in_stateless_scope
    from keras.src.random import seed_generator

    seen, initialize, assign, value = Seen(), Variable._initialize_with_initializer, Variable.assign, Variable.value

    def initialized(variable: Any, initializer: Any) -> None:
        seen.initializers.append((variable, initializer))
        initialize(variable, initializer)

    def read(variable: Any) -> Any:
        seen.touched |= not in_stateless_scope()  # within one are the shapes of a symbolic call worked out
        return value.fget(variable)

    def assigned(variable: Any, given: Any) -> Any:
        seen.touched |= not variable.path.endswith(GENERATOR)  # those a trial sets itself
        return assign(variable, given)

    class Drawing:
        @staticmethod
        def randint(low: int, high: int) -> int:
            seen.seeds.append(random.randint(low, high))
            return seen.seeds[-1]

    with ExitStack() as stack:
        stack.enter_context(replaced(Variable, "_initialize_with_initializer", initialized))
        stack.enter_context(replaced(Variable, "value", property(read)))
        stack.enter_context(replaced(Variable, "assign", assigned))
        stack.enter_context(replaced(seed_generator, "python_random", Drawing))
        yield seen


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Within: the owner's attribute is another one."""
    before = vars(owner).get(name, ABSENT)  # a class may only inherit it
    setattr(owner, name, value)
    try:
        yield
    finally:
        delattr(owner, name)
        if before is not ABSENT:
            setattr(owner, name, before)
