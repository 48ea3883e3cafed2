"""From what a template wrote, or nothing, to what is sent: what a template forgot is added here.

The order of a warning is the one people act on: is it real, who says so, what, where, until when, what to do.
"""

from markupsafe import Markup

from alertd.core.words.facts import MAX_TEXT, MAX_TITLE, BlockFacts, Facts
from alertd.core.words.fragment import fragment_text
from alertd.core.words.statements import Statement, closing, everything, opening, required
from alertd.core.words.wording import clip, line, opens_with, plain, says, squash, without_lead


def title_lead(facts: Facts) -> str:
    """`ESERCITAZIONE - Comune di …: ANNULLATO - `, plain characters that every channel can carry."""
    mark = f"{facts.mark} - " if facts.mark else ""
    change = f"{facts.change} - " if facts.change else ""
    return f"{mark}{facts.name}: {change}"


def text_lead(facts: Facts) -> str:
    return "\n".join(facts.lead)


def html_lead(facts: Facts) -> Markup:
    return Markup("").join(Markup("<p><strong>{}</strong></p>").format(part) for part in facts.lead)


def whole_title(written: str, facts: Facts) -> str:
    """One line: the lead, then at least what happens."""
    lead = title_lead(facts)
    room = max(MAX_TITLE - len(lead), 40)
    more = f" (+{len(facts.blocks) - 1})" if len(facts.blocks) > 1 else ""
    rest = clip(without_lead(line(written), facts.lead), room)
    if not says(squash(rest), facts.what):
        rest = clip(f"{clip(facts.what, room - len(more))}{more}", room)
    return lead + rest


def own_text(facts: Facts) -> str:
    """The alert in its own words, where no template speaks."""
    parts = [opening(facts), *(everything(block, facts) for block in facts.blocks), closing(facts)]
    return "\n\n".join(_paragraphs(part) for part in parts if part)


def _paragraphs(statements: tuple[Statement, ...]) -> str:
    """A line each, and longer words set apart."""
    return "\n".join(s.text if s.label or s.heading else f"\n{s.text}\n" for s in statements)


def own_html(facts: Facts) -> Markup:
    blocks = (
        Markup('<section lang="{}">{}</section>').format(block.language, _html(everything(block, facts)))
        for block in facts.blocks
    )
    return Markup("").join((html_lead(facts), _html(opening(facts)), *blocks, _html(closing(facts))))


def whole_text(written: str, facts: Facts) -> str:
    """The lead, what was written, and every required statement it does not make; at most MAX_TEXT long."""
    lead = text_lead(facts)
    body = without_lead(plain(written), facts.lead)
    missing = _missing(body, facts)
    if len(lead) + 2 + len(body) + _length(missing) > MAX_TEXT:
        needed = [opening(facts), *(required(block, facts) for block in facts.blocks), closing(facts)]
        body = clip(body, max(MAX_TEXT - len(lead) - 2 - _length(needed), 0))
        missing = _missing(body, facts)
    added = ("\n".join(s.text for s in part) for part in missing)
    return plain("\n\n".join((lead, *(part for part in (body, *added) if part))))


def whole_html(written: str, facts: Facts) -> str:
    """The same for HTML. Raises ValueError where the fragment is not simple and balanced, or too long."""
    if len(written) > 2 * MAX_TEXT:
        raise ValueError(f"is longer than {2 * MAX_TEXT} characters")
    seen = plain(fragment_text(written))
    lead = Markup("") if opens_with(seen, facts.lead) else html_lead(facts)
    added = Markup("").join(_html(part) for part in _missing(seen, facts))
    return f"{lead}{written.strip()}{added}"


def _missing(body: str, facts: Facts) -> list[tuple[Statement, ...]]:
    """The statements not found. Of several blocks, one that lacks anything is said again whole."""
    squashed = squash(body)
    several = len(facts.blocks) > 1
    parts = [_unsaid(opening(facts), squashed)]
    parts += [_of_block(block, facts, squashed, whole=several) for block in facts.blocks]
    parts.append(_unsaid(closing(facts), squashed))
    return [part for part in parts if part]


def _of_block(block: BlockFacts, facts: Facts, squashed: str, *, whole: bool) -> tuple[Statement, ...]:
    statements = required(block, facts)
    unsaid = _unsaid(statements, squashed)
    return statements if unsaid and whole else unsaid


def _unsaid(statements: tuple[Statement, ...], squashed: str) -> tuple[Statement, ...]:
    return tuple(s for s in statements if not all(says(squashed, needle) for needle in s.needles))


def _length(parts: list[tuple[Statement, ...]]) -> int:
    return sum(len(s.text) + 2 for part in parts for s in part)


def _html(statements: tuple[Statement, ...]) -> Markup:
    return Markup("").join(s.html for s in statements)
