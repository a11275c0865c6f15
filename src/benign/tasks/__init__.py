"""Task families and their files: what is learned, before any step is taken."""
