"""What a proof is about: problems, plants and points in exact numbers."""
