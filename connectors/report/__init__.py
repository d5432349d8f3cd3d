"""Transaction reports of dispensing cabinets as delimited or fixed-width text, read by a profile."""
