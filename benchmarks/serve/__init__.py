"""The web API measured and put under faults: rates beside an empty endpoint, and a drill for each promise."""
