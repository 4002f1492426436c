"""Benchmark: an attack drill. Made-up profiles push items; what that does to models, and whether they are found."""
