"""Released checkpoints of other projects, in the networks of this one."""
