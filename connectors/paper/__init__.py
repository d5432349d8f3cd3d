"""What was written on paper in a downtime, as events."""
