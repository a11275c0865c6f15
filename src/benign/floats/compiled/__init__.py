"""The prover's arithmetic on boxes in compiled code: the rules of `benign.floats`, one box a lane."""
