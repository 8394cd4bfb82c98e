"""Bytes in, bytes out (传输通道): nothing here knows about customs. See folder.py."""
