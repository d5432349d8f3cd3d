"""The control tower: a web page on the SQL projection, for people who keep stock. Reads views only; never writes."""

from sinks.tower.mount import mount_tower

__all__ = ["mount_tower"]
