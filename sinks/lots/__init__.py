"""Which lots lie where when nobody says: probabilities from what is known to have come and gone. Pure; decides no balance."""
