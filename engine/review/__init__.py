"""Review: which listing to ask about next, what the reviewer said, and taking it back."""
