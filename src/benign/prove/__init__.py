"""The prover: finds proofs and writes certificates. Nothing here is trusted by the checker."""
