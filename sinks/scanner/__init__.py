"""The scanner page: an app for phones and handhelds that takes scans, also without the hub. Imports `schemas`, `sinks`."""
