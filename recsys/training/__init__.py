"""The only rooms that import torch: from a sparse matrix of histories to the arrays of a trained autoencoder."""

import os

# torch's CPU threads wait for each other by spinning unless this is said before torch is first imported. On a busy
# machine an epoch of MovieLens 1M took 3 to 20 s that way, and 0.9 s with threads that sleep while they wait.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
