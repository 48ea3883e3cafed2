"""`python -m alertd.cli`: the same as the `alertd` command."""

from alertd.cli import main

main()
