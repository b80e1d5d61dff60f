"""What lichen would do with six typical calls at three providers: shorten, keep, wait."""
