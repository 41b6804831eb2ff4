"""From aligned crops to templates, and from templates to answers."""
