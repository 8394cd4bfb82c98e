"""The store: two batons (inbox, outbox), the archive, the projections, the books and the journal.

Read ``store.py`` first (what is asked of it), then ``engines.py`` (the two databases) and the SQL files.
"""
