"""Tests of the warehouse: its views, and how questions are put to either engine."""
