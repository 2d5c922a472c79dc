"""The command line: every capability of the desktop that is not a picture, as a verb.

Standard output carries the answer (one JSON document with ``--json``), standard error the progress,
the notes and, in one line, the error. Nothing here loads Qt or torch; training runs in a process of
its own.
"""
