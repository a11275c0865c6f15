"""Finding, classifying and judging the stationary points of a meta-objective."""
