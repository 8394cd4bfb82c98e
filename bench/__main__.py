"""python -m bench: the benchmark of bench/walk.py."""

from bench.walk import main

main()
