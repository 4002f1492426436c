"""The night measured: what the judge refuses, and what a night survives."""
