"""The prover's arithmetic: float64 of NumPy, rounded outward."""
