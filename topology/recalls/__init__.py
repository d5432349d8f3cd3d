"""From published recalls to notices of the hub: proposed from a file, in force when a person has confirmed them."""
