"""Models: cards, packed models, one file a source, and (with torch) dry runs and taps."""
