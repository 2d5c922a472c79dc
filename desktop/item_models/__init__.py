"""What the screens show, over the engine's DTOs; no widgets, no rules."""
