"""One family over many step sizes: bifurcations, recommendations."""
