"""Many templates at once: who among them is one person."""
