"""Who listens: logins, listeners, and the tokens that say so."""
