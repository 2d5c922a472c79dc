"""The page of `alcove report`."""
