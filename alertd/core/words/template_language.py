"""The language of templates: Jinja with only what wording needs, so that no template can hang or fill the daemon.

Templates are the operator's own, but they are edited in a hurry and reloaded while alerts go out. There are no
calls, no assignments, no macros and no includes; loops run over the few bounded lists there are; text cannot be
multiplied; and what is written is counted while it is written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alertd.core.words.facts import MAX_TEXT, BlockFacts
from alertd.core.words.phrasing import Phrases

MAX_SOURCE = 16_000
MAX_LINES = 200
_MAX_WRITTEN = 4 * MAX_TEXT
_MAX_DEPTH = 3
_LISTS = frozenset({"blocks", "lead", "where"})
_FACTS = {kind: frozenset(field.name for field in fields(kind)) for kind in (BlockFacts, Phrases)}
_FILTERS = (
    "capitalize",
    "default",
    "escape",
    "e",
    "first",
    "last",
    "length",
    "lower",
    "title",
    "trim",
    "truncate",
    "upper",
)
_REFUSED = (
    *(nodes.Assign, nodes.AssignBlock, nodes.Block, nodes.Call, nodes.CallBlock, nodes.Extends, nodes.FilterBlock),
    *(nodes.FromImport, nodes.Import, nodes.Include, nodes.Macro, nodes.ScopedEvalContextModifier, nodes.With),
)


class WordsEnvironment(ImmutableSandboxedEnvironment):
    """One for plain text, one that escapes for HTML. An undefined name is an error, never an empty place."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, *, escaping: bool) -> None:
        super().__init__(
            autoescape=escaping, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, cache_size=0
        )
        self.globals.clear()
        self.filters = {name: FILTERS[name] for name in _FILTERS}
        self.filters["join"] = _join
        self.filters["lines"] = _lines

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A fact by its name needs no look at whether it is safe; whatever else is asked for does."""
        if attribute in _FACTS.get(type(obj), ()):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`'a' * 10**9` and `'%999999999d' % 1` would fill the memory."""
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"a template may not use {operator!r} on this")
        return super().call_binop(context, operator, left, right)

    def compiled(self, source: str) -> Template:
        """The template of this source. Raises TemplateSyntaxError with the line of what is wrong or refused."""
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"is longer than {MAX_SOURCE} characters", 1)
        tree = self.parse(source)
        _inspect(tree, 0)
        return self.template_class.from_code(self, self.compile(tree), self.make_globals(None))


@lru_cache(maxsize=128)
def compiled(source: str, *, escaping: bool) -> Template:
    """As `WordsEnvironment.compiled`, and kept: compiling is much of a start, and few templates change in a reload."""
    return _environment(escaping=escaping).compiled(source)


@cache
def _environment(*, escaping: bool) -> WordsEnvironment:
    return WordsEnvironment(escaping=escaping)


def written(template: Template, values: Mapping[str, object]) -> str:
    """What the template writes. Raises whatever a template can: TemplateError, TypeError, ZeroDivisionError …"""
    return "".join(_counted(template.generate(values)))


def _counted(pieces: Iterator[str]) -> Iterator[str]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > _MAX_WRITTEN:
            raise SecurityError(f"writes more than {_MAX_WRITTEN} characters")
        yield piece


def _inspect(node: nodes.Node, depth: int) -> None:
    if isinstance(node, _REFUSED):
        raise TemplateSyntaxError(f"{type(node).__name__} has no place in a message", node.lineno)
    if isinstance(node, nodes.For):
        depth += 1
        if depth > _MAX_DEPTH or node.recursive or not _is_bounded(node.iter):
            raise TemplateSyntaxError(
                f"a loop runs over {', '.join(sorted(_LISTS))} or a text's |lines, at most {_MAX_DEPTH} deep",
                node.lineno,
            )
    for child in node.iter_child_nodes():
        _inspect(child, depth)


def _is_bounded(iterated: nodes.Node) -> bool:
    if isinstance(iterated, nodes.Filter):
        return iterated.name == "lines"
    name = iterated.attr if isinstance(iterated, nodes.Getattr) else getattr(iterated, "name", None)
    return name in _LISTS


def _lines(text: str) -> list[str]:
    """The lines of a text that are not empty, at most two hundred."""
    return [part for part in str(text).split("\n") if part.strip()][:MAX_LINES]


def _join(values: tuple[str, ...], separator: str = "") -> str:
    """A list in a row. A text is no list, and would grow."""
    if not isinstance(values, tuple | list):
        raise SecurityError("only a list can be joined")
    return separator.join(values)
