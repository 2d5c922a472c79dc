"""The window: Qt widgets over the engine's Workspace. Never loads torch."""
