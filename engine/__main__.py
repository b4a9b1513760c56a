"""`python -m engine` is the command `tocsin`; it refuses to run without its asserts."""

import sys

if sys.flags.optimize:
    sys.stderr.write("tocsin: the asserts are part of the engine; start Python without -O\n")
    sys.exit(2)

from engine.cli import main

main()
