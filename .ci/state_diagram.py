"""Draw the delivery states into ARCHITECTURE.md from the table that rules them.

    .ci/state_diagram.py            writes the diagram between its markers
    .ci/state_diagram.py --check    exits 1 where the document is not current, and changes nothing

The document is created, with a heading and the markers, where there is none.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- states:begin -->"
END = "<!-- states:end -->"


def diagram() -> str:
    """The table as a Mermaid state diagram; arrows between the same two states are drawn once."""
    sys.path.insert(0, str(ROOT))
    from alertd.domain.delivery import TRANSITIONS, State

    labels: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (source, event), target in TRANSITIONS.items():
        labels[source, target].append(event.value)
    leaving = {source for source, _ in labels}
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.QUEUED.value}"]
    lines += [f"    {a.value} --> {b.value}: {', '.join(events)}" for (a, b), events in labels.items()]
    lines += [f"    {state.value} --> [*]" for state in State if state not in leaving]
    return "\n".join([*lines, "```"])


def drawn_into(text: str) -> str:
    """The document with the current diagram between its markers. Raises ValueError where they are missing."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"needs the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{diagram()}\n{END}{tail}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Draw the delivery states into ARCHITECTURE.md.")
    parser.add_argument("--check", action="store_true", help="only say whether the document is current")
    parser.add_argument("document", nargs="?", type=Path, default=ROOT / "ARCHITECTURE.md")
    options = parser.parse_args(arguments)
    document: Path = options.document
    text = document.read_text() if document.exists() else f"# Architecture\n\n{BEGIN}\n{END}\n"
    try:
        current = drawn_into(text)
    except ValueError as error:
        print(f"{document}: {error}", file=sys.stderr)
        return 1
    if options.check:
        fresh = document.exists() and text == current
        if not fresh:
            print(f"{document}: the state diagram is not current; run .ci/state_diagram.py", file=sys.stderr)
        return 0 if fresh else 1
    if text != current or not document.exists():
        document.write_text(current)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
