"""Taking feeds in, in a process of its own: what arrives is on disk in a journal, and the hub takes it over from there."""
