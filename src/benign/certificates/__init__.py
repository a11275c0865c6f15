"""What was proved, as small JSON documents, and the checker that proves it again."""
