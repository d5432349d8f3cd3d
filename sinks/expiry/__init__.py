"""What will expire before it is used: pure arithmetic over lots, dates and consumption."""
