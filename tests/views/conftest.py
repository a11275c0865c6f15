"""The landscapes of `view_problems`, analysed once."""

import pytest
from view_problems import PROBLEMS

from benign.prove.line.enumeration import analyze


@pytest.fixture(scope="session")
def landscapes():
    return {name: analyze(make()) for name, make in PROBLEMS.items()}
