"""Results: schema, provenance, files, and the statistics that give every number its uncertainty."""
