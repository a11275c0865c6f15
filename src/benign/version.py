"""The version of the library, for documents that say what wrote them."""

__version__ = "0.1.0"
