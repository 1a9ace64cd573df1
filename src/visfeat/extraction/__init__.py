"""Extraction: plan what is missing, run the pipeline, commit, report; and the Extractor, without a store."""
