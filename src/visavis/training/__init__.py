"""Training: an engine that knows no faces and no labels, and runs a Task."""
