"""The config that the tests give to main.py; data below the current folder."""

from ml_collections import ConfigDict

from tests import people


def get_config() -> ConfigDict:
    return ConfigDict(people.fields("."))
