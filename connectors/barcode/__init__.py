"""Barcode scans: GS1 element strings, GTINs and NDCs read strictly, and scan events mapped to stock events."""
