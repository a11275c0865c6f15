"""What others would do: one file a peer, each a function of a `Bench` that a user of it would write."""
