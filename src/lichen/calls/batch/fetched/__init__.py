"""Results of batches that clients make at the provider themselves, metered as they are fetched."""
