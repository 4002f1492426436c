"""The core: interactions in, ranked items out. Knows numbers; knows no SQL, no HTTP and no environment variables."""

__version__ = "0.1.0"
