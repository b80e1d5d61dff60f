"""How much of the oracle's saving a forecast from history alone keeps."""
