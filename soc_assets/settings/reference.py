"""The reference of the settings, docs/settings.md, made from the fields and their descriptions.

python -m soc_assets.settings.reference > docs/settings.md
"""

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from soc_assets.settings.loading import Settings

_HEAD = """# Settings

Every setting of `soc.toml` with its type, default and meaning, made from the code by
`python -m soc_assets.settings.reference`. What is left out has its default; an unknown name is an error that shows the
nearest known one. Any value can be overridden by an environment variable: `SOC_EMBEDDING__STAGE=encoder`,
`SOC_TRAINING__HIDDEN='[256]'`."""
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_PLAIN: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "true or false"}


def reference() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    shown: dict[Any, str] = {}
    for name, field in Settings.model_fields.items():
        yield from _section(f"[{name}]", field.annotation, shown)


def _section(heading: str, section: Any, shown: dict[Any, str]) -> Iterator[str]:
    """A table of soc.toml, then the tables that it holds; one that was shown before is only named."""
    yield from ("", f"## `{heading}`", "")
    if section in shown:
        yield f"The settings of `{shown[section]}`."
        return
    shown[section] = heading
    yield from (_paragraph(section.__doc__ or ""), "", "| setting | type | default | meaning |", "|---|---|---|---|")
    inner = []
    for key, field in section.model_fields.items():
        table, many = _table_in(field.annotation)
        kind, default = _type(field), _default(field)
        if table is not None:
            below = f"{heading.strip('[]')}.{key}"
            inner.append((f"[[{below}]]" if many else f"[{below}]", table))
            kind, default = f"{'tables' if many else 'table'} `{inner[-1][0]}`", ""
        yield f"| `{key}` | {kind} | {default} | {_paragraph(field.description or '')} |"
    for below, table in inner:
        yield from _section(below, table, shown)


def _table_in(annotation: Any) -> tuple[Any, bool]:
    """The table that a setting holds, and whether it holds many; (None, False) for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in get_args(annotation):
        table, _ = _table_in(part)
        if table is not None:
            return table, get_origin(annotation) is tuple
    return None, False


def _type(field: FieldInfo) -> str:
    return ", ".join([_words(field.annotation), *_bounds(field.metadata)]).replace("|", "\\|")


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    for each in (inner for meta in metadata for inner in (meta, *getattr(meta, "metadata", ()))):
        for key, words in _BOUNDS.items():
            value = getattr(each, key, None)
            if value is not None:
                yield f"{words} {value:,}"


def _words(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if origin is Annotated:
        return ", ".join([_words(parts[0]), *_bounds(parts[1:])])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in parts)
    if origin is tuple:
        return f"list of {_words(parts[0])}" if parts[-1] is ... else "list of " + ", ".join(map(_words, parts))
    if origin is dict:
        return f"table of {_words(parts[1])}"
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part) for part in parts if part is not type(None))
    return "text"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None else f"`{_toml(value)}`".replace("|", "\\|")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_toml(each)}' for key, each in value.items())}}}"
    return repr(value)


def _paragraph(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
