"""Face backbones with taps, in the key layouts of released checkpoints."""
