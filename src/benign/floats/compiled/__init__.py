"""The prover's arithmetic on boxes in compiled code: the rules of `benign.floats`, eight boxes at once."""
