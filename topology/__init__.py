"""Runtimes, settings, command line: the only package that puts the others together."""
