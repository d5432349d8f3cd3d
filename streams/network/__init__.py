"""The network processor: positions of all sites in, proposals for their needs out."""
