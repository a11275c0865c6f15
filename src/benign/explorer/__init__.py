"""A family under the hand: its landscape redraws while numbers change, in a browser or a notebook."""
