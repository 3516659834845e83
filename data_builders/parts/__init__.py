"""What several builders share: the record, the archives, the photographs.

The imports in here are relative, because this package has two names: the project
knows it as `data_builders.parts`, `tfds build` as `parts`.
"""
