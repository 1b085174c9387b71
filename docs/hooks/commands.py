"""The commands of `soc` with their options, from click itself.

mkdocs-click 0.9.0 would do this, but shows "Sentinel.UNSET" as the default of options with the click of today.
"""

import inspect
import re
from collections.abc import Iterator

import click

from soc_assets.cli.main import main

_PAGE = re.compile(r"\bdocs/([\w-]+\.md)")
_ANY = re.compile(r"<(\w+)>")


def commands() -> str:
    """What `--help` says of each command, as Markdown, in the order of `soc --help`."""
    context = click.Context(main, info_name="soc")
    return "\n".join(line for name in main.list_commands(context) for line in _command(name, context))


def _command(name: str, parent: click.Context) -> Iterator[str]:
    command = main.get_command(parent, name)
    if command is None or command.hidden:
        return
    context = click.Context(command, info_name=name, parent=parent)
    yield from (f"## soc {name}", "")
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield from (*_paragraph(paragraph), "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("```text", f"{context.command_path} {usage}", "```", "", "| option | |", "|---|---|")
    for parameter in command.get_params(context):
        if (record := parameter.get_help_record(context)) and record[1]:  # not arguments
            yield f"| `{_cell(record[0])}` | {_words(_cell(record[1]))} |"
    yield ""


def _paragraph(text: str) -> list[str]:
    """A paragraph; as it stands where click is told so, by a line with a backspace alone."""
    if text.startswith("\b\n"):
        return ["```text", inspect.cleandoc(text.removeprefix("\b\n")), "```"]
    return [_words(text)]


def _words(text: str) -> str:
    return _ANY.sub(r"&lt;\1&gt;", _PAGE.sub(r"[\1](\1)", text))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
