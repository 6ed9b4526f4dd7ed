"""Momentum contrast within and across streams."""
