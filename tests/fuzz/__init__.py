"""Structure-aware fuzzing of the HL7 v2 reader and mapper."""
