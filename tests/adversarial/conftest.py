"""The counts of the trials at the end of a run."""

from counting import pytest_terminal_summary as pytest_terminal_summary
