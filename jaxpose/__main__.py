"""The command line: python -m jaxpose."""

import runpy
import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["doctor"]:
        # It must start where packages that the other commands need are broken.
        del sys.argv[1]
        runpy.run_module("jaxpose.apps.doctor", run_name="__main__")
    from jaxpose.apps import command

    sys.exit(command.main())
