"""Dispensing cabinets and other devices over MQTT: a subscriber that acknowledges only what is durable."""
