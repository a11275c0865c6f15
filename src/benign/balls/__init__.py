"""The checker's arithmetic: balls of python-flint, which carry their own error."""
