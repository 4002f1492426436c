"""A report from an evaluation: files for machines and people, a table for the terminal."""
