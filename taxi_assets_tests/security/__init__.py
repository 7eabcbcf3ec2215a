"""Tests of what docs/threat-model.md promises, where no package of ours alone keeps it."""
