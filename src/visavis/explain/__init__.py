"""What in two faces carried their similarity: signed maps over both, effects of parts, and how faithful they are."""
