"""Media: items and their URIs, finding them, telling their kind by content, hashing."""
