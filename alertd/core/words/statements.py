"""What a message must say, statement by statement, and how it is said where no template says it."""

from dataclasses import dataclass

from markupsafe import Markup, escape

from alertd.core.words.facts import BlockFacts, Facts


@dataclass(frozen=True, slots=True)
class Statement:
    """`needles` are what must be found for it to count as said; `heading` makes it a heading in HTML."""

    label: str
    value: str
    needles: tuple[str, ...]
    heading: bool = False
    link: bool = False

    @property
    def text(self) -> str:
        return f"{self.label}: {self.value}" if self.label else self.value

    @property
    def html(self) -> Markup:
        value = Markup("<br>").join(escape(part) for part in self.value.split("\n"))
        if self.heading:
            return Markup("<h2>{}</h2>").format(value)
        if self.link:
            value = Markup('<a href="{0}">{0}</a>').format(self.value)
        label = Markup("<strong>{}:</strong> ").format(self.label) if self.label else Markup()
        return Markup("<p>{}{}</p>").format(label, value)


def required(block: BlockFacts, facts: Facts) -> tuple[Statement, ...]:
    """What, where, until when, what to do, whom to ask: of one block, without what it does not know."""
    labels = facts.labels
    where = ", ".join(block.where) + (f", {block.more_areas}" if block.more_areas else "")
    return _known(
        Statement("", block.what, (block.what,), heading=True),
        Statement(labels.where, where, block.where),
        _labelled(labels.until, block.until),
        _labelled(labels.do, block.do),
        Statement(labels.web, block.web, (block.web,), link=True),
        _labelled(labels.contact, block.contact),
    )


def everything(block: BlockFacts, facts: Facts) -> tuple[Statement, ...]:
    """The same with what is good to know, in the order people need it."""
    labels = facts.labels
    what, *rest = required(block, facts)
    asking = [s for s in rest if s.label in {labels.web, labels.contact}]
    doing = [s for s in rest if s not in asking]
    event = "" if block.event == block.what else block.event
    other = (
        Statement("", event, (event,)),
        _labelled(labels.since, block.since),
        _labelled(labels.severity, block.severity),
        _labelled(labels.urgency, block.urgency),
        Statement("", block.description, (block.description,)),
    )
    return (what, *doing, *_known(*other), *asking)


def opening(facts: Facts) -> tuple[Statement, ...]:
    """What stands before the blocks: what a Cancel means, or all that a message without blocks can say."""
    said = [Statement("", facts.change_note, (facts.change_note,))]
    if not facts.blocks:
        said.append(Statement("", facts.what, (facts.what,), heading=True))
    said.append(_labelled(facts.labels.why, facts.note))
    said.append(_labelled(facts.labels.reference, facts.reference))
    return _known(*said)


def closing(facts: Facts) -> tuple[Statement, ...]:
    """What stands after the blocks: where to read all of it, and that a drill is a drill."""
    return _known(
        Statement("", facts.more_notices, (facts.more_notices,)),
        Statement(facts.labels.link, facts.url, (facts.url,), link=True),
        Statement("", facts.mark_note, (facts.mark_note,)),
    )


def _labelled(label: str, value: str) -> Statement:
    return Statement(label, value, (value,))


def _known(*statements: Statement) -> tuple[Statement, ...]:
    return tuple(statement for statement in statements if statement.value)
