"""The letters of the bonded side (金关二期报文): account books, write-off lists, gate passes, and customs' receipts.

Reading order: tables/messages.yaml, records.py (generated), letter.py, reading.py, writing.py, sealing.py, making.py.
"""
