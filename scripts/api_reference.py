"""Writes docs/reference/python.md: the public names, with signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import runctl
from runctl.client.instances import Instances
from runctl.client.machine import Machine
from runctl.engine.rehearsal import Rehearsal

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "python.md"
WIDTH = 88
HEAD = """\
<!-- Made from src/runctl/client by `make reference`. -->
# Python

All that the command line does, `runctl.Client` does, with typed results. Errors are those of
`runctl.errors` ([all of them](errors.md)); each has `message`, `hint`, `details`, `code` and
`exit_code`. The types of requests and results are in `runctl.model.views` and
`runctl.model.run`; their fields are [the same as in JSON](records.md).

Public names: {names}.

"""
METHOD = """
### {name}

{prose}

```python
{signature}
```
"""
PROPERTY = """
### {name}

{prose} An attribute, of type `{kind}`.
"""


def page() -> str:
    names = ", ".join(f"`runctl.{name}`" for name in runctl.__all__)
    start = f"```python\n{signature('Client', runctl.Client.__init__)}\n```\n"
    client = section("runctl.Client", runctl.Client, start)
    returned = {
        "Client.instances": Instances,
        "Client.machine": Machine,
        "Client.cloud": Rehearsal,
    }
    others = [section(f"What {name} returns", one) for name, one in returned.items()]
    return HEAD.format(names=names) + "\n".join([client, *others])


def section(title: str, one: type, start: str = "") -> str:
    entries = [entry(name, each) for name, each in public_attributes(one)]
    return f"## {title}\n\n{prose(one)}\n{start and chr(10)}{start}" + "".join(entries)


def public_attributes(one: type) -> Iterator[tuple[str, Any]]:
    """The public ones, in the order of the source, and then those of what it is made on."""
    found = {name: each for kind in one.__mro__[:-1] for name, each in vars(kind).items()}
    return ((name, each) for name, each in found.items() if not name.startswith("_"))


def entry(name: str, each: Any) -> str:
    if inspect.isfunction(each):
        return METHOD.format(name=name, prose=prose(each), signature=signature(name, each))
    getter: Any = each.fget if isinstance(each, property) else each.func
    kind = inspect.signature(getter).return_annotation
    return PROPERTY.format(name=name, prose=prose(each), kind=kind)


def signature(name: str, function: Callable[..., object]) -> str:
    """On one line if it fits, else one parameter a line; ``self`` is left out."""
    found = inspect.signature(function)
    parameters = [str(one) for one in found.parameters.values()][1:]
    if any(one.kind is one.KEYWORD_ONLY for one in found.parameters.values()):
        first = next(i for i, one in enumerate(found.parameters.values()) if one.kind == 3)
        parameters.insert(first - 1, "*")
    end = "" if name == "Client" else f" -> {found.return_annotation}"
    line = unquoted(f"{name}({', '.join(parameters)}){end}")
    if len(line) <= WIDTH:
        return line
    return unquoted("\n".join([f"{name}(", *(f"    {one}," for one in parameters), f"){end}"]))


def unquoted(text: str) -> str:
    """Annotations are kept as texts; their quotes are no part of them."""
    return re.sub(r": '([^']*)'", r": \1", text)


def prose(one: object) -> str:
    return (inspect.getdoc(one) or "").replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page())
