"""What ERPs and people send back as JSON: answers to commands, and decisions on commands and cases."""
