"""openFDA enforcement reports (`drug/enforcement`) as a file: what they say of recalls. Read only; nothing here is in force."""
