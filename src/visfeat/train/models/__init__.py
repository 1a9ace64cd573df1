"""The networks that are trained here from nothing, each in a file of its own with its formulas."""
