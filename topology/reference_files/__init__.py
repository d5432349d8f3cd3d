"""Reference data from CSV and YAML files: read, checked across files, and either whole or not at all.

It reads files and nothing else: what a hub already knows is handed in, and publishing the changes is the caller's.
"""

from topology.reference_files.load import load_reference, reference_changes
from topology.reference_files.model import Loaded, Problem, ReferenceRecord

__all__ = ["Loaded", "Problem", "ReferenceRecord", "load_reference", "reference_changes"]
