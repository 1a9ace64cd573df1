"""Training data: labeled files and arrays, their splits, and the decoded pixels that the loop is fed with."""
