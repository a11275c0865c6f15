"""The source paper, reproduced: its figures and its claims, each with a verdict."""

from benign.paper.figures import draw
from benign.paper.reproduction import Reproduction, claims_table, minimisers_table, redraw, reproduce

__all__ = ["Reproduction", "claims_table", "draw", "minimisers_table", "redraw", "reproduce"]
