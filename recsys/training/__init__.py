"""The only rooms that import torch: from a sparse matrix of histories to the arrays of a trained autoencoder."""
