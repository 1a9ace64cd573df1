"""Pictures for people: contact sheets of neighbors."""
