"""Engines: models compiled for a device, from a recipe with open fields to a network that runs batches."""
