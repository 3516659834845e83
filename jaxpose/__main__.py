"""The command line: python -m jaxpose."""

import sys

from jaxpose.apps import command

if __name__ == "__main__":
    sys.exit(command.main())
