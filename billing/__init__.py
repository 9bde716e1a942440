"""What billing systems tell us: stored raw and for ever, then acted upon by whoever is concerned."""
