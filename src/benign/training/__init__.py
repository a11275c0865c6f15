"""Training, adaptation to a task, and what can be said of a trained model."""
