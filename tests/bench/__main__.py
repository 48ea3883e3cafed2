"""`python -m tests.bench`, see programme.py.

Every daemon is forked from a process that imports this module again, so it imports nothing by itself.
"""

if __name__ == "__main__":
    import sys

    from tests.bench.programme import main

    sys.exit(main())
