"""FHIR R4, R4B and R5 resources, Bundles and NDJSON as stock events."""
