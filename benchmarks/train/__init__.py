"""How fast the autoencoder trains: its step beside the machine's matrix rate, and its time to quality beside peers."""
