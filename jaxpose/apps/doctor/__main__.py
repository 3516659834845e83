"""The doctor alone: it starts where packages that the other commands need are missing."""

import argparse
import sys

from jaxpose.apps.doctor import examination

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m jaxpose.apps.doctor")
    examination.add_options(parser)
    sys.exit(examination.run(parser.parse_args()))
