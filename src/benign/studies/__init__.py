"""Studies: landscapes of thousands to millions of families, as functions of what they are made from."""
