"""Small trained matrices beside the frozen linear layers of a network."""
