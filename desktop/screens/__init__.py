"""One file a screen; each is given the Session and shown by the main window."""
