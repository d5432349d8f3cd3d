"""Feeds over HTTP: FHIR, cabinet transactions, scans, ERP answers and decisions, stored before they are answered."""
