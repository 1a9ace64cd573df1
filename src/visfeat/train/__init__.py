"""Training: data, models, the loop and the run folder that it leaves, which is at once a feature extractor."""
