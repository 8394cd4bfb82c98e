"""``python -m cebport`` is the command line."""

from cebport.cli import main

if __name__ == "__main__":
    main()
