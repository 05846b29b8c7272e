"""The command line as ``python -m meshcycle``."""

from meshcycle.command import main

if __name__ == "__main__":
    main()
