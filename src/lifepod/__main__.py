"""`python -m lifepod`."""

from lifepod.cli import main

main()
