"""`python -m mtjlab` is the command `mtjlab`."""

from .cli import main

if __name__ == "__main__":
    main()
