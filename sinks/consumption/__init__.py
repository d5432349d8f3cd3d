"""Consumption by month: what a place gave, corrected for the days it had nothing to give."""
