"""What an analysis returns: small frozen values."""
