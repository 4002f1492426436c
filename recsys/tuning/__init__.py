"""The best settings of a model on this data, looked for on held-out rows within a stated budget."""
