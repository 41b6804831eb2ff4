"""Published systems: one file each, its card and the experiment that shows its claim."""
