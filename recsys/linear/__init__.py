"""Linear item-item models: closed forms, filters and decompositions, and the linear path made of them. No torch."""
