"""What the admin pages of all packages share."""
