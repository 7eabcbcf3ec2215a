"""Tests. The folders mirror the packages; ``emulators`` and ``helpers`` hold what stands in for the outside."""
