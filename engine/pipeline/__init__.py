"""The stages of Alcove, joined. Stages never import each other; they meet here.

In the order in which data goes round:

1. ``engine.intake`` reads files into the store (:meth:`engine.workspace.Workspace.import_table`).
2. :mod:`engine.pipeline.search_side` - encoder, item index and evidence of one catalogue state.
3. :mod:`engine.pipeline.evidence_blocks` - retrieval and evidence of every listing, kept on disk.
4. :mod:`engine.pipeline.score_listings` - matcher: evidence to confidence.
5. :mod:`engine.pipeline.match_listings` - routing: automated, review or settled, into the store.
6. ``engine.review`` - queue and decisions; :mod:`engine.pipeline.random_stream` draws the audits.
   :mod:`engine.pipeline.live_audit` watches the certificate in them, and suspends it on alarm.
7. :mod:`engine.pipeline.certify_release` - decisions to matcher;
   :mod:`engine.pipeline.promises` - matcher and random decisions to threshold and certificate.
8. :mod:`engine.pipeline.training_runs` - pairs to a run folder for the trainer, and back.
9. :mod:`engine.pipeline.release_files` - all of it written as one release;
   :mod:`engine.pipeline.evaluate_release` - challenger against champion; then from 5 again.
"""
