"""Rules: reads a rule file, checks it, and compiles it to a detection."""
