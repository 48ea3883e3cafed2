"""Floor 6: the commands. Exit codes: 0 done, 1 what was asked for did not happen, 2 wrong usage or configuration."""

import typer

from alertd.cli import cap, daemon, decide, demo, drafts, follow, ingest, send, store, subscribers, tokens
from alertd.cli.errors import guarded

app = typer.Typer(
    name="alertd",
    help="One alert in, every channel out, a receipt for every recipient.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(daemon.run)
app.command("demo")(demo.demo)
app.command("check")(daemon.check)
app.command("send")(send.send)
app.command("watch")(follow.watch)
app.command("cancel")(follow.cancel)
app.command("report")(follow.report)
app.command("drafts")(drafts.drafts)
app.command("approve")(decide.approve)
app.command("reject")(decide.reject)
app.add_typer(tokens.app, name="token")
app.add_typer(subscribers.app, name="subscribers")
app.command("sandbox")(daemon.sandbox)
app.command("migrate")(store.migrate)
app.add_typer(store.audit, name="audit")
app.add_typer(cap.app, name="cap")
app.add_typer(ingest.app, name="ingest")


def main() -> None:
    """Run one command and leave with its exit code."""
    guarded(app)
