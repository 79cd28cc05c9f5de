"""`python -m xtalcodec` is the command line."""

from xtalcodec.cli import main

if __name__ == "__main__":
    main()
