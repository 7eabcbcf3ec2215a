"""Tests of what the dashboard and the report share: questions, answers, figures and words."""
