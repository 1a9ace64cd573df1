"""Features of the time before deep networks, as models like any other: one file a feature, listed in ``source``."""
