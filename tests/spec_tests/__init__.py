"""Tests of what specs are told, written as Markdown."""
