"""`python -m benign.cli`."""

from benign.cli import main

main()
