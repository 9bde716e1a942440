"""How the admin writes things down."""
