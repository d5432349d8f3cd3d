"""The identity vault: from a patient's keyed hash back to the identifier; encrypted, opened by role, with a reason, logged."""
